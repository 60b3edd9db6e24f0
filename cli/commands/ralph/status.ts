import { emptyBoard } from '../../../domain/run/board.ts';
import { isActive } from '../../../domain/run/status.ts';
import { exitCodes } from '../../../domain/errors.ts';
import { hostNote } from '../../output/host-note.ts';
import { diskLines, spendingLines } from '../../output/spending.ts';
import { statusLines } from '../../output/status.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { ask, openContext, print, stdoutLook } from './context.ts';
import { findRunId } from './find-run.ts';

/** `codetether ralph status [run]`. */
export async function status(
  run: string | undefined,
  options: { readonly prd?: string; readonly json?: boolean },
): Promise<number> {
  const context = openContext();
  const id = await findRunId(context, { run, prd: options.prd });
  const view = await ask(context, (client) => client.getRun(id));
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...view }))]);
    return exitCodes.completed;
  }
  const hosts = isActive(view.status) ? (await ask(context, (client) => client.hosts())).hosts : [];
  const note = hostNote(view, hosts, new Date());
  print(context.stdout, [
    ...statusLines(emptyBoard(view), { look: stdoutLook(context), nowMs: Date.now() }),
    ...diskLines(view),
    ...spendingLines(view),
    ...(note === undefined ? [] : ['', note]),
  ]);
  return exitCodes.completed;
}
