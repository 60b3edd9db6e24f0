import { emptyBoard } from '../../../domain/run/board.ts';
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
  const { hosts } = await ask(context, (client) => client.hosts());
  const note = hostNote(view, hosts, new Date());
  const lines =
    options.json === true
      ? [JSON.stringify(snakeKeys({ schemaVersion: 1, ...view }))]
      : [
          ...statusLines(emptyBoard(view), { look: stdoutLook(context), nowMs: Date.now() }),
          ...diskLines(view),
          ...spendingLines(view),
          ...(note === undefined ? [] : ['', note]),
        ];
  print(context.stdout, lines);
  return exitCodes.completed;
}
