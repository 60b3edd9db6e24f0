import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { EndTurnInput, OpenTurnResult } from '../../domain/contracts/activities.ts';
import type {
  SessionOpening,
  SessionPlace,
  SessionRun,
  SessionRunStore,
  TurnPlan,
} from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { runEventBodies } from '../../domain/run/events.ts';
import { isActive, runStatuses } from '../../domain/run/status.ts';
import type { RunStatus } from '../../domain/run/status.ts';
import { messageKey, sessionAgentId } from '../../domain/run/ids.ts';
import { ToolDeeds } from '../../domain/session/turn-facts.ts';
import type { TurnFacts } from '../../domain/session/turn-facts.ts';
import type { NewSessionEvent } from '../../domain/session/transcript.ts';
import { expireApprovals } from './approval-store.ts';
import { cleanText, jsonText } from './json.ts';
import { lastModelStep, withAgents } from './model-call-store.ts';
import { appendRunEvents, hasRunEvent } from './run-events.ts';
import { releaseReservations } from './run-open.ts';
import { ledgerOf, lockRun, storedCaps, usageOf } from './run-rows.ts';
import type { Database } from './schema.ts';
import { appendSessionEvents, forkSession, insertSession } from './session-store.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const shownText = 300;
/** More than any answer has; what a model is allowed to say is far below. */
const answerText = 200_000;

const Status = z.enum(runStatuses);

export function createSessionRunStore(database: Kysely<Database>): SessionRunStore {
  return {
    openSession: async (plan) =>
      await inTransaction(database, async (transaction) => await openSession(transaction, plan)),
    forkSessionRun: async (from, as) =>
      await inTransaction(database, async (transaction) => await forkSessionRun(transaction, from, as)),
    getSessionRun: async (sessionId) => {
      const row = await selectSessions(database).where('session.session_id', '=', sessionId).executeTakeFirst();
      return row === undefined ? undefined : sessionRun(row);
    },
    listSessionRuns: async ({ limit, folder, before }) => {
      const rows = await selectSessions(database)
        .$if(folder !== undefined, (query) => query.where('session.folder', '=', folder ?? ''))
        .$if(before !== undefined, (query) =>
          query.where(
            sql<boolean>`(session.updated_at, session.session_id) < (${before?.usedAt}::timestamptz, ${before?.sessionId})`,
          ),
        )
        .orderBy('session.updated_at', 'desc')
        .orderBy('session.session_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(sessionRun);
    },
    openTurn: async (plan) => await inTransaction(database, async (transaction) => await openTurn(transaction, plan)),
    endTurn: async (input, facts) =>
      await inTransaction(database, async (transaction) => await endTurn(transaction, input, facts)),
    turnDeeds: async (sessionId, messageId) => {
      const rows = await database
        .selectFrom('session_event')
        .select(sql`body -> 'did'`.as('did'))
        .where('session_id', 'in', (query) =>
          query.selectFrom('session').select('session_id').where(withAgents(sessionId)),
        )
        .where('kind', '=', 'tool-result')
        .where(sql<boolean>`body ? 'did'`)
        .where('at', '>=', (query) =>
          query
            .selectFrom('session_event')
            .select('at')
            .where('session_id', '=', sessionId)
            .where('key', '=', messageKey(sessionId, messageId)),
        )
        .orderBy('at')
        .orderBy('seq')
        .execute();
      return rows.map(({ did }) => ToolDeeds.parse(did));
    },
    abandonTurn: async (sessionId, message, options = {}) =>
      await inTransaction(database, async (transaction) => await abandonTurn(transaction, sessionId, message, options)),
  };
}

function selectSessions(database: Queries) {
  return database
    .selectFrom('session')
    .innerJoin('run', 'run.run_id', 'session.session_id')
    .where('session.deleted_at', 'is', null)
    .selectAll('run')
    .select([
      'title',
      'folder',
      'model',
      'agent',
      'parent_session_id',
      'parent_seq',
      'session.created_at as begun_at',
      'session.updated_at',
    ]);
}

async function openSession(database: Queries, opening: SessionOpening): Promise<number> {
  const { sessionId, folder, title, model, agent } = opening;
  await insertSession(database, { sessionId, kind: 'chat', title, folder, model, agent });
  await insertRun(database, { ...opening, status: 'starting', options: { maxCostUsd: null, maxTokens: null } });
  const run = await lockRun(database, sessionId);
  if (run === undefined) throw noSession(sessionId);
  const isIdle = !isActive(Status.parse(run.status));
  await database
    .updateTable('run')
    .set({
      options: sql<string>`options || ${jsonText(opening.caps)}::jsonb`,
      ...(isIdle ? { status: 'starting', started_at: sql<Date>`now()`, ended_at: null, outcome_message: '' } : {}),
    })
    .where('run_id', '=', sessionId)
    .execute();
  await database
    .updateTable('session')
    .set({ model, agent, updated_at: sql<Date>`clock_timestamp()` })
    .where('session_id', '=', sessionId)
    .execute();
  return run.head_seq;
}

async function insertRun(
  database: Queries,
  run: Pick<SessionOpening, 'sessionId' | 'folder' | 'hostId'> & {
    readonly status: RunStatus;
    readonly options: unknown;
  },
): Promise<void> {
  await database
    .insertInto('run')
    .values({
      run_id: run.sessionId,
      kind: 'session',
      status: run.status,
      project: '',
      feature: '',
      repo_path: run.folder,
      prd_path: '',
      branch: '',
      host_id: run.hostId,
      options: jsonText(run.options),
      prd: '{}',
    })
    .onConflict((conflict) => conflict.constraint('run_pkey').doNothing())
    .execute();
}

async function forkSessionRun(
  database: Queries,
  from: SessionPlace,
  as: { readonly sessionId: string; readonly title: string },
): Promise<void> {
  const parent = await lockRun(database, from.sessionId);
  if (parent === undefined) throw noSession(from.sessionId);
  await forkSession(database, from, as);
  const { repo_path: folder, host_id: hostId, options } = parent;
  await insertRun(database, { sessionId: as.sessionId, folder, hostId, status: 'completed', options });
}

async function openTurn(database: Queries, plan: TurnPlan): Promise<OpenTurnResult> {
  const { sessionId, messageId, agent, model } = plan;
  const run = await lockRun(database, sessionId);
  if (run === undefined) throw noSession(sessionId);
  const key = messageKey(sessionId, messageId);
  if (await hasRunEvent(database, sessionId, `${key}:ended`)) return { kind: 'answered' };
  const isKnown = await hasRunEvent(database, sessionId, `${key}:started`);
  const turn = isKnown ? run.execution : run.execution + 1;
  const text = cleanText(plan.text);
  await appendSessionEvents(database, sessionId, [
    ...(await openingRows(database, plan)),
    { key, kind: 'user', body: { text } },
  ]);
  await appendRunEvents(database, sessionId, [
    {
      key: `${key}:started`,
      kind: 'turn-started',
      storyId: sessionAgentId,
      attempt: turn,
      body: { turn, messageId, agent, model, text: text.slice(0, shownText).toWellFormed() },
    },
  ]);
  await database
    .updateTable('run')
    .set({ status: 'running', execution: turn, ended_at: null })
    .where('run_id', '=', sessionId)
    .execute();
  return { kind: 'opened', turn, firstStep: 1 + (await lastModelStep(database, { runId: sessionId, sessionId })) };
}

/** What a message needs before it: the system prompt of a session that has none, and what another agent is told. */
async function openingRows(database: Queries, plan: TurnPlan): Promise<readonly NewSessionEvent[]> {
  const { sessionId, messageId, agent } = plan;
  const [session, before] = [
    await database.selectFrom('session').select(['head_seq']).where('session_id', '=', sessionId).executeTakeFirst(),
    await newestTurn(database, sessionId, messageId),
  ];
  const rows: NewSessionEvent[] = [];
  const isEmpty = (session?.head_seq ?? 0) === 0;
  if (isEmpty) rows.push({ key: `${sessionId}:system`, kind: 'system', body: { text: cleanText(plan.systemPrompt) } });
  if (agent !== (before?.agent ?? 'build')) {
    const key = `${messageKey(sessionId, messageId)}:agent`;
    rows.push({ key, kind: 'user', body: { text: cleanText(plan.agentNotice), aside: true } });
  }
  return rows;
}

async function endTurn(database: Queries, input: Omit<EndTurnInput, 'before'>, facts: TurnFacts = {}): Promise<void> {
  const { sessionId, messageId, turn, outcome, message, code, durationMs, goesOn } = input;
  const run = await lockRun(database, sessionId);
  if (run === undefined) throw noSession(sessionId);
  const key = messageKey(sessionId, messageId);
  if (await hasRunEvent(database, sessionId, `${key}:ended`)) return;
  await releaseReservations(database, sessionId);
  await expireApprovals(database, sessionId);
  const usage = await usageSince(database, sessionId, key);
  const text = outcome === 'completed' ? await newestAnswer(database, sessionId) : '';
  await appendRunEvents(database, sessionId, [
    {
      key: `${key}:ended`,
      kind: 'turn-ended',
      storyId: sessionAgentId,
      attempt: turn,
      body: {
        turn,
        messageId,
        outcome,
        message,
        code,
        text: text.slice(0, answerText).toWellFormed(),
        ...usage,
        durationMs,
        ...facts,
      },
    },
  ]);
  if (Object.keys(facts).length > 0)
    await appendSessionEvents(database, sessionId, [{ key: `${key}:ended`, kind: 'turn-end', body: facts }]);
  await database
    .updateTable('run')
    .set({
      status: goesOn ? 'running' : outcome,
      outcome_message: cleanText(message),
      ...(goesOn ? {} : { ended_at: sql<Date>`now()` }),
    })
    .where('run_id', '=', sessionId)
    .execute();
}

async function abandonTurn(
  database: Queries,
  sessionId: string,
  message: string,
  { onlyIfStarting = false }: { readonly onlyIfStarting?: boolean },
): Promise<void> {
  const run = await lockRun(database, sessionId);
  if (run === undefined || !isActive(Status.parse(run.status))) return;
  if (onlyIfStarting && run.status !== 'starting') return;
  const started = await newestTurn(database, sessionId);
  if (run.status === 'running' && started !== undefined) {
    const { turn, messageId, at } = started;
    const durationMs = Math.max(0, Date.now() - at.getTime());
    await endTurn(database, {
      sessionId,
      messageId,
      turn,
      outcome: 'error',
      message,
      code: null,
      durationMs,
      goesOn: false,
    });
  }
  await database
    .updateTable('run')
    .set({ status: 'error', outcome_message: cleanText(message), ended_at: sql<Date>`now()` })
    .where('run_id', '=', sessionId)
    .execute();
}

/** @param except a message whose turn is not looked at */
async function newestTurn(database: Queries, sessionId: string, except = '') {
  const row = await database
    .selectFrom('run_event')
    .select(['body', 'at'])
    .where('run_id', '=', sessionId)
    .where('kind', '=', 'turn-started')
    .where(sql<boolean>`body ->> 'messageId' <> ${except}`)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : { ...runEventBodies['turn-started'].parse(row.body), at: row.at };
}

async function usageSince(database: Queries, sessionId: string, key: string) {
  const started = database
    .selectFrom('run_event')
    .select('at')
    .where('run_id', '=', sessionId)
    .where('key', '=', `${key}:started`);
  return await database
    .selectFrom('model_call')
    .select([
      sql<number>`count(*)`.as('steps'),
      sql<number>`coalesce(sum(input_tokens), 0)::bigint`.as('inputTokens'),
      sql<number>`coalesce(sum(output_tokens), 0)::bigint`.as('outputTokens'),
      sql<number>`coalesce(sum(cost_usd), 0)`.as('costUsd'),
    ])
    .where('run_id', '=', sessionId)
    .where('status', '=', 'answered')
    .where('created_at', '>=', started)
    .executeTakeFirstOrThrow();
}

async function newestAnswer(database: Queries, sessionId: string): Promise<string> {
  const row = await database
    .selectFrom('session_event')
    .select(sql<string>`body ->> 'text'`.as('text'))
    .where('session_id', '=', sessionId)
    .where('kind', '=', 'assistant')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.text ?? '';
}

function sessionRun(
  row: Awaited<ReturnType<ReturnType<typeof selectSessions>['executeTakeFirstOrThrow']>>,
): SessionRun {
  const { parent_session_id: parentId, parent_seq: parentSeq } = row;
  return {
    sessionId: row.run_id,
    status: Status.parse(row.status),
    folder: row.repo_path,
    hostId: row.host_id,
    title: row.title,
    model: row.model ?? '',
    agent: row.agent,
    parent: parentId === null || parentSeq === null ? null : { sessionId: parentId, seq: parentSeq },
    caps: storedCaps(row.options),
    turns: row.execution,
    ledger: ledgerOf(row),
    usage: usageOf(row),
    outcomeMessage: row.outcome_message,
    createdAt: row.begun_at,
    usedAt: row.updated_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    headSeq: row.head_seq,
  };
}

function noSession(sessionId: string): CodetetherError {
  return new CodetetherError('not-found', `there is no session ${sessionId}`);
}
