import { exitCodes } from '../../../domain/errors.ts';
import { reloadLines, reloadText } from '../../output/reload-lines.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { cleanLine } from '../../output/text.ts';
import { ask, openContext, print } from './context.ts';
import { findRunId, runHandle } from './find-run.ts';

export interface ReloadOptions {
  readonly prd?: string;
  readonly dryRun?: boolean;
  readonly allowUnchecked?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `codetether ralph reload [run]`. */
export async function reload(run: string | undefined, options: ReloadOptions): Promise<number> {
  const context = openContext();
  const { prd, dryRun = false, allowUnchecked = false } = options;
  const id = await findRunId(context, { run, prd, active: true });
  const answer = await ask(context, (client) => client.reload(id, { dryRun, allowUnchecked }));
  const { changes, applied } = answer;
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...answer }))]);
    return exitCodes.completed;
  }
  if (options.quiet === true) return exitCodes.completed;
  const text = reloadText(changes);
  const isNothing = text === 'nothing changed';
  print(
    context.stderr,
    answer.warnings.map((warning) => `warning: ${cleanLine(warning)}`),
  );
  print(context.stdout, [
    isNothing
      ? 'the run follows the PRD as it is already'
      : `${applied ? 'the run follows' : 'would follow'} the edited PRD: ${text}`,
    ...reloadLines(changes),
  ]);
  if (dryRun && !isNothing) {
    const handle = await runHandle(context, answer.run.runId);
    print(context.stderr, [`nothing was changed. Apply it with: codetether ralph reload ${handle}`]);
  }
  return exitCodes.completed;
}
