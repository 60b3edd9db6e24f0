import { exitCodes } from '../../../domain/errors.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { cleanLine } from '../../output/text.ts';
import { ask, openContext, print } from './context.ts';
import { findRunId, runHandle } from './find-run.ts';

export interface ResumeOptions {
  readonly prd?: string;
  readonly maxCost?: number;
  readonly maxTokens?: number;
  readonly maxTotalSteps?: number;
  readonly maxTime?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `codetether ralph resume [run]`. */
export async function resume(run: string | undefined, options: ResumeOptions): Promise<number> {
  const context = openContext();
  const { prd, maxCost, maxTokens, maxTotalSteps, maxTime } = options;
  const id = await findRunId(context, { run, prd, active: true, orEnded: true });
  const answer = await ask(context, (client) =>
    client.resume(id, {
      ...(maxCost === undefined ? {} : { maxCostUsd: maxCost }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...(maxTotalSteps === undefined ? {} : { maxTotalSteps }),
      ...(maxTime === undefined ? {} : { maxTimeMs: maxTime }),
    }),
  );
  const { runId, execution } = answer.run;
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...answer.run }))]);
  } else if (options.quiet !== true) {
    print(
      context.stderr,
      answer.warnings.map((warning) => `warning: ${cleanLine(warning)}`),
    );
    print(context.stdout, [`${runId} goes on${answer.started ? ` (execution ${execution})` : ''}`]);
    print(context.stderr, [`  watch     codetether ralph attach ${await runHandle(context, runId)}`]);
  }
  return exitCodes.completed;
}
