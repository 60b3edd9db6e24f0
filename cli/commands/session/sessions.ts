import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SessionView, TranscriptView } from '../../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { isActive } from '../../../domain/run/status.ts';
import { formatCost, formatDay, formatTokens } from '../../output/format.ts';
import { printPaged } from '../../output/pager.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { counted } from '../../output/text.ts';
import { transcriptLines, transcriptMarkdown } from '../../output/transcript.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import type { OutputFormat } from '../ralph/options.ts';
import { realpath } from '../ralph/repository.ts';
import { shortSessionId } from './short-id.ts';

export interface ListOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

export interface ShowOptions {
  readonly agent?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

export interface ExportOptions {
  readonly format: 'markdown' | 'json';
  readonly output?: string;
}

export interface AttachOptions {
  readonly outputFormat: OutputFormat;
  readonly quiet?: boolean;
}

const listed = 200;

export async function list({ all = false, json = false }: ListOptions): Promise<number> {
  const context = openContext();
  const folder = realpath(context.cwd);
  const { sessions } = await ask(context, (client) =>
    client.listSessions({ limit: listed, ...(all ? {} : { folder }) }),
  );
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, sessions }))]);
    return exitCodes.completed;
  }
  if (sessions.length === 0) {
    print(context.stderr, [`there is no session ${all ? 'yet' : `of ${folder} yet`}; start one: codetether run "…"`]);
    return exitCodes.completed;
  }
  const now = new Date();
  const column = (title: string, cell: (session: SessionView) => string) => ({ title, cells: sessions.map(cell) });
  const columns = [
    column('id', ({ sessionId }) => shortSessionId(sessionId)),
    column('state', ({ status }) => (isActive(status) ? 'working' : status)),
    column('used', ({ usedAt }) => formatDay(usedAt, now)),
    column('turns', ({ turns }) => String(turns)),
    column('tokens', ({ spentTokens }) => formatTokens(spentTokens)),
    column('cost', ({ spentUsd, spentTokens }) => formatCost({ usd: spentUsd, tokens: spentTokens })),
    ...(all ? [column('folder', ({ folder: path }) => path)] : []),
    column('title', ({ title }) => title),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), context.stdout.isTTY));
  return exitCodes.completed;
}

export async function show(
  id: string | undefined,
  { agent, verbose = false, json = false }: ShowOptions,
): Promise<number> {
  const context = openContext();
  const { session, rows } = await readSession(context, id, agent);
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, session, rows }))]);
    return exitCodes.completed;
  }
  await printPaged(
    context.stdout,
    transcriptLines(session, rows, { agent, verbose, look: stdoutLook(context) }),
    context.environment,
  );
  return exitCodes.completed;
}

export async function exportSession(id: string | undefined, { format, output }: ExportOptions): Promise<number> {
  const context = openContext();
  const { session, rows } = await readSession(context, id);
  const text =
    format === 'json'
      ? `${JSON.stringify(snakeKeys({ schemaVersion: 1, session, rows }), null, 2)}\n`
      : transcriptMarkdown(session, rows);
  if (output === undefined) context.stdout.write(text);
  else await writeFile(resolve(context.cwd, output), text);
  return exitCodes.completed;
}

export async function attach(id: string | undefined, options: AttachOptions): Promise<number> {
  const context = openContext();
  const session = await findSession(context, id);
  const turn = await turnUnderWay(context, session);
  // With all that a turn needs; the other commands need none of it.
  const { watchTurn } = await import('./say.ts');
  return await watchTurn(context, { session, ...turn, ahead: 0 }, options);
}

export async function interrupt(id: string | undefined): Promise<number> {
  const context = openContext();
  const { sessionId } = await findSession(context, id);
  await ask(context, (client) => client.interrupt(sessionId));
  print(context.stderr, [`${shortSessionId(sessionId)} is interrupted; what it has changed stays`]);
  return exitCodes.completed;
}

export interface ForkOptions {
  readonly drop?: number;
  readonly title?: string;
  readonly json?: boolean;
}

export async function fork(id: string | undefined, { drop = 0, title, json = false }: ForkOptions): Promise<number> {
  const context = openContext();
  const parent = await findSession(context, id);
  const request = { dropTurns: drop, ...(title === undefined ? {} : { title }) };
  const forked = await ask(context, (client) => client.forkSession(parent.sessionId, request));
  if (json) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, session: forked }))]);
  else print(context.stdout, [shortSessionId(forked.sessionId)]);
  return exitCodes.completed;
}

export async function undo(id: string | undefined, { turns = 1 }: { readonly turns?: number }): Promise<number> {
  const context = openContext();
  const { sessionId } = await findSession(context, id);
  await ask(context, (client) => client.undoTurns(sessionId, turns));
  const what = turns === 1 ? 'the last turn does' : `the last ${turns} turns do`;
  print(context.stderr, [`${what} not count any more; files stay as they are (back: codetether sessions redo)`]);
  return exitCodes.completed;
}

export async function redo(id: string | undefined): Promise<number> {
  const context = openContext();
  const { sessionId } = await findSession(context, id);
  await ask(context, (client) => client.redoTurns(sessionId));
  print(context.stderr, ['what was undone last counts again, unless something was said since']);
  return exitCodes.completed;
}

export async function rename(id: string, title: string): Promise<number> {
  const context = openContext();
  await ask(context, (client) => client.renameSession(id, title));
  return exitCodes.completed;
}

/** Every one of them, or none: the first that is not there ends it before anything is deleted. */
export async function remove(ids: readonly string[]): Promise<number> {
  const context = openContext();
  const found = await Promise.all(ids.map((id) => ask(context, (client) => client.getSession(id))));
  for (const { sessionId } of found) await context.client.deleteSession(sessionId);
  print(context.stderr, [`${counted(found.length, 'session is', 'sessions are')} not listed any more`]);
  return exitCodes.completed;
}

/** The newest `turn-started`, when its turn has not ended. */
async function turnUnderWay(
  { client }: Context,
  session: SessionView,
): Promise<{ readonly messageId: string; readonly afterSeq: number }> {
  if (isActive(session.status)) {
    let found: { messageId: string; afterSeq: number } | undefined;
    const leaving = new AbortController();
    for await (const event of client.sessionEvents(session.sessionId, { signal: leaving.signal })) {
      if (event.kind === 'turn-started') found = { messageId: event.body.messageId, afterSeq: event.seq - 1 };
      if (event.seq < session.headSeq) continue;
      leaving.abort();
      break;
    }
    if (found !== undefined) return found;
  }
  throw new CodetetherError('session-idle', `${shortSessionId(session.sessionId)} is not working on anything`);
}

async function readSession(
  context: Context,
  id: string | undefined,
  agent?: string,
): Promise<{ readonly session: SessionView; readonly rows: TranscriptView['rows'] }> {
  const session = await findSession(context, id);
  const { rows } = await ask(context, (client) => client.transcript(session.sessionId, agent));
  return { session, rows };
}

export async function findSession(context: Context, id: string | undefined): Promise<SessionView> {
  if (id !== undefined) return await ask(context, (client) => client.getSession(id));
  const folder = realpath(context.cwd);
  const { sessions } = await ask(context, (client) => client.listSessions({ limit: 1, folder }));
  const [newest] = sessions;
  if (newest !== undefined) return newest;
  throw new CodetetherError('not-found', `there is no session of ${folder}`, {
    next: 'Start one: codetether run "…"; those of other folders: codetether sessions list --all',
  });
}
