import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { contextLines, turnColumns } from '../../output/context.ts';
import { formatTokens } from '../../output/format.ts';
import { printPaged } from '../../output/pager.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { counted } from '../../output/text.ts';
import { transcriptLines } from '../../output/transcript.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import { shortSessionId } from './short-id.ts';
import { findSession } from './sessions.ts';

export interface SessionOptions {
  readonly session?: string;
  readonly json?: boolean;
}

export interface BrowseOptions extends SessionOptions {
  readonly verbose?: boolean;
}

export interface PinOptions extends SessionOptions {
  readonly row?: number;
}

export interface ResetOptions extends SessionOptions {
  readonly summary?: string;
}

export async function budget({ session, json = false }: SessionOptions): Promise<number> {
  const context = openContext();
  const { sessionId } = await findSession(context, session);
  const view = await ask(context, (client) => client.context(sessionId));
  if (json) printJson(context, view);
  else print(context.stdout, contextLines(view, stdoutLook(context)));
  return exitCodes.completed;
}

export async function browse(
  action: 'list' | 'show-turn',
  turn: number | undefined,
  { session, verbose = false, json = false }: BrowseOptions,
): Promise<number> {
  const context = openContext();
  if (action === 'show-turn') {
    if (turn === undefined) throw new CodetetherError('usage', 'show-turn needs the number of a turn');
    const found = await findSession(context, session);
    const shown = await ask(context, (client) => client.contextTurn(found.sessionId, turn));
    if (json) printJson(context, shown);
    else
      await printPaged(
        context.stdout,
        transcriptLines(found, shown.rows, { verbose, look: stdoutLook(context) }),
        context.environment,
      );
    return exitCodes.completed;
  }
  if (turn !== undefined) throw new CodetetherError('usage', 'list takes no turn; did you mean show-turn?');
  const { sessionId } = await findSession(context, session);
  const view = await ask(context, (client) => client.context(sessionId));
  if (json) {
    printJson(context, { sessionId, turns: view.turns, earlierTurns: view.earlierTurns });
    return exitCodes.completed;
  }
  print(context.stdout, listTable(turnColumns(view), stdoutLook(context), context.stdout.isTTY));
  if (view.earlierTurns > 0) print(context.stderr, [`${counted(view.earlierTurns, 'earlier turn')} not shown`]);
  if (view.turns.length === 0) print(context.stderr, [`nothing was said in session ${shortSessionId(sessionId)} yet`]);
  return exitCodes.completed;
}

export async function pin(
  turn: number | undefined,
  { session, row, pinned, json = false }: PinOptions & { readonly pinned: boolean },
): Promise<number> {
  const context = openContext();
  if ((turn === undefined) === (row === undefined))
    throw new CodetetherError('usage', 'name a turn, or a row with --row', {
      next: 'List them: codetether context browse',
    });
  const { sessionId } = await findSession(context, session);
  const what = { pinned, ...(turn === undefined ? {} : { turn }), ...(row === undefined ? {} : { row }) };
  const done = await ask(context, (client) => client.pin(sessionId, what));
  if (json) printJson(context, { sessionId, pinned, ...done });
  else {
    const name = turn === undefined ? `the step of row ${row}` : `turn ${turn}`;
    print(context.stderr, [
      `${name} is ${pinned ? 'pinned' : 'not pinned any more'}; pinned now: ${formatTokens(done.pinnedTokens)} tokens`,
    ]);
  }
  return exitCodes.completed;
}

export async function reset({ session, summary, json = false }: ResetOptions): Promise<number> {
  const context = openContext();
  if (summary?.trim() === '') throw new CodetetherError('usage', 'the summary is empty');
  const { sessionId } = await findSession(context, session);
  const request = summary === undefined ? {} : { summary };
  const { kind, ...of } = await ask(context, (client) => client.resetContext(sessionId, request));
  if (json) {
    printJson(context, { sessionId, kind, ...of });
    return exitCodes.completed;
  }
  const what = `${counted(of.turns, 'turn')} (${counted(of.steps, 'step')}, ${formatTokens(of.tokens)} tokens)`;
  print(context.stderr, [
    kind === 'reset'
      ? `[CONTEXT RESET] ${what} not sent any more; your summary stands for them`
      : `[CONTEXT RESET] ${of.model} sums ${what} up before its next answer; the summary stands for them from then on`,
    'no row is lost: codetether context browse',
  ]);
  return exitCodes.completed;
}

function printJson(context: Context, value: object): void {
  print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...value }))]);
}
