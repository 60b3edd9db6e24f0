import type { StoryVerb } from '../../../domain/contracts/api.ts';
import { exitCodes } from '../../../domain/errors.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { cleanLine } from '../../output/text.ts';
import { ask, openContext, print } from './context.ts';
import { findRunId, runHandle } from './find-run.ts';

const said: { readonly [verb in StoryVerb]: string } = {
  nudge: 'is told before its next step',
  retry: 'is open again',
};

/** `codetether ralph nudge|retry`. */
export async function tell(
  verb: StoryVerb,
  message: { readonly storyId: string; readonly text: string; readonly run: string | undefined },
  options: { readonly prd?: string; readonly json?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const context = openContext();
  const { storyId, text, run } = message;
  const id = await findRunId(context, { run, prd: options.prd, active: true, orEnded: verb === 'retry' });
  const answer = await ask(context, (client) => client.tellStory(id, storyId, verb, text));
  if (options.json === true) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...answer.run }))]);
  else if (options.quiet !== true) {
    const { runId, execution } = answer.run;
    print(
      context.stderr,
      answer.warnings.map((warning) => `warning: ${cleanLine(warning)}`),
    );
    print(context.stdout, [
      `${storyId} ${said[verb]}${answer.started ? `; ${runId} goes on (execution ${execution})` : ''}`,
    ]);
    if (answer.started)
      print(context.stderr, [`  watch     codetether ralph attach ${await runHandle(context, runId)}`]);
  }
  return exitCodes.completed;
}
