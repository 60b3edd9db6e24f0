import type { SteerVerb as AnySteerVerb } from '../../../domain/contracts/api.ts';
import { exitCodes } from '../../../domain/errors.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { ask, openContext, print } from './context.ts';
import { findRunId, runHandle } from './find-run.ts';

type SteerVerb = Exclude<AnySteerVerb, 'resume'>;

const said: { readonly [verb in SteerVerb]: string } = {
  pause: 'is paused: steps under way finish, nothing new starts',
  stop: 'is stopping: steps under way finish, passed stories are kept',
  cancel: 'is being cancelled: what is under way is ended, passed stories are kept',
};

const next: { readonly [verb in SteerVerb]: (handle: string) => string } = {
  pause: (handle) => `go on     codetether ralph resume ${handle}`,
  stop: (handle) => `watch     codetether ralph attach ${handle}`,
  cancel: (handle) => `watch     codetether ralph attach ${handle}`,
};

/** `codetether ralph pause|resume|stop|cancel [run]`. */
export async function steer(
  verb: SteerVerb,
  run: string | undefined,
  options: { readonly prd?: string; readonly json?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const context = openContext();
  const id = await findRunId(context, { run, prd: options.prd, active: true });
  const answer = await ask(context, (client) => client.steer(id, verb));
  const { runId } = answer.run;
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...answer.run }))]);
  } else if (options.quiet !== true) {
    print(context.stdout, [`${runId} ${said[verb]}`]);
    print(context.stderr, [`  ${next[verb](await runHandle(context, runId))}`]);
  }
  return exitCodes.completed;
}
