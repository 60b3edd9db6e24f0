import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import { sessionKinds } from '../../domain/contracts/store.ts';
import type { SessionPlace, SessionPlan, SessionRecord, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { agentSessionId } from '../../domain/run/ids.ts';
import { ContextPolicy, defaultContextPolicy } from '../../domain/session/context-policy.ts';
import { sessionEventBodies } from '../../domain/session/transcript.ts';
import type { NewSessionEvent, SessionEvent, SessionEventKind } from '../../domain/session/transcript.ts';
import { cleanText, jsonText } from './json.ts';
import type { Database, SessionTable } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const foundSessionIds = 20;
/** In the id of a transcript before the part of an agent that another one has started. */
const startedMark = agentSessionId('', '');

export function createSessionStore(database: Kysely<Database>): Omit<SessionStore, 'watchSessions'> {
  return {
    createSession: async (plan) => {
      await insertSession(database, plan);
    },
    getSession: async (sessionId) => {
      const row = await selectSession(database, sessionId).executeTakeFirst();
      return row === undefined ? undefined : sessionRecord(row);
    },
    listSessions: async ({ limit, kinds, folder, before }) => {
      if (kinds?.length === 0) return [];
      const rows = await database
        .selectFrom('session')
        .selectAll()
        .where('deleted_at', 'is', null)
        .$if(kinds !== undefined, (query) => query.where('kind', 'in', kinds ?? []))
        .$if(folder !== undefined, (query) => query.where('folder', '=', folder ?? ''))
        .$if(before !== undefined, (query) =>
          query.where(sql<boolean>`(updated_at, session_id) < (${before?.updatedAt}, ${before?.sessionId})`),
        )
        .orderBy('updated_at', 'desc')
        .orderBy('session_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(sessionRecord);
    },
    findSessionIds: async (part) => {
      const text = cleanText(part);
      const rows = await database
        .selectFrom('session')
        .select('session_id')
        .where('deleted_at', 'is', null)
        .where(sql<boolean>`starts_with(session_id, ${text})`)
        .where(sql<boolean>`strpos(substr(session_id, length(${text}) + 1), ${startedMark}) = 0`)
        .orderBy(sql`session_id = ${text}`, 'desc')
        .orderBy('updated_at', 'desc')
        .limit(foundSessionIds)
        .execute();
      const ids = rows.map((row) => row.session_id);
      return ids[0] === text ? [text] : ids;
    },
    updateSession: async (sessionId, { policy, ...change }) => {
      const updated = await database
        .updateTable('session')
        .set({
          ...change,
          ...(policy === undefined ? {} : { policy: jsonText(policy) }),
          updated_at: sql<Date>`clock_timestamp()`,
        })
        .where('session_id', '=', sessionId)
        .executeTakeFirst();
      if (updated.numUpdatedRows === 0n) throw noSession(sessionId);
    },
    forkSession: async (from, as) =>
      await inTransaction(database, async (transaction) => await forkSession(transaction, from, as)),
    renameSession: async (sessionId, { key, title }) =>
      await inTransaction(database, async (transaction) => {
        await lockSession(transaction, sessionId);
        const text = cleanText(title);
        const row: NewSessionEvent = { key: `rename:${key}`, kind: 'rename', body: { title: text } };
        if ((await appendSessionEvents(transaction, sessionId, [row])) === 0) return;
        await transaction.updateTable('session').set({ title: text }).where('session_id', '=', sessionId).execute();
      }),
    deleteSession: async (sessionId) =>
      await inTransaction(database, async (transaction) => {
        await lockSession(transaction, sessionId);
        if ((await appendSessionEvents(transaction, sessionId, [{ key: 'delete', kind: 'delete', body: {} }])) === 0)
          return;
        await transaction
          .updateTable('session')
          .set({ deleted_at: sql<Date>`now()` })
          .where('session_id', '=', sessionId)
          .execute();
      }),
    appendSessionEvents: async (sessionId, events) => {
      await appendSessionEvents(database, sessionId, events);
    },
    readSession: async (sessionId, options = {}) => {
      if ('afterSeq' in options) return await readOn(database, { sessionId, seq: Number.MAX_SAFE_INTEGER }, options);
      if (options.last !== undefined)
        return await readBack(database, { sessionId, seq: Number.MAX_SAFE_INTEGER }, options.last);
      return await readOn(database, { sessionId, seq: Number.MAX_SAFE_INTEGER }, { afterSeq: 0 });
    },
    hasSessionEvent: async (sessionId, key) => {
      const row = await database
        .selectFrom('session_event')
        .select('seq')
        .where('session_id', '=', sessionId)
        .where('key', '=', key)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

/** Appends in order, skipping keys that are there. @returns how many were new */
export async function appendSessionEvents(
  database: Queries,
  sessionId: string,
  events: readonly NewSessionEvent[],
): Promise<number> {
  if (events.length === 0) return 0;
  const result = await sql<{ added: number }>`
    SELECT append_session_events(${sessionId}, ${jsonText(events)}::jsonb) AS added
  `.execute(database);
  return result.rows[0]?.added ?? 0;
}

/** @returns whether it is new */
export async function insertSession(
  database: Queries,
  plan: SessionPlan,
  parent: SessionPlace | null = null,
): Promise<boolean> {
  const inserted = await database
    .insertInto('session')
    .values({
      session_id: plan.sessionId,
      kind: plan.kind,
      title: cleanText(plan.title ?? ''),
      folder: plan.folder ?? null,
      model: plan.model ?? null,
      agent: plan.agent ?? '',
      policy: plan.policy === undefined ? null : jsonText(plan.policy),
      head_seq: parent?.seq ?? 0,
      parent_session_id: parent?.sessionId ?? null,
      parent_seq: parent?.seq ?? null,
    })
    .onConflict((conflict) => conflict.constraint('session_pkey').doNothing())
    .executeTakeFirst();
  return inserted.numInsertedOrUpdatedRows === 1n;
}

export async function forkSession(
  database: Queries,
  from: SessionPlace,
  as: Partial<SessionPlan> & Pick<SessionPlan, 'sessionId'>,
): Promise<void> {
  const parent = sessionRecord(await lockSession(database, from.sessionId));
  if (from.seq < 0 || from.seq > parent.headSeq)
    throw new CodetetherError('not-found', `session ${from.sessionId} has no row ${from.seq}`);
  // Before its own first row the parent is what it was forked from.
  const place = await owner(database, from);
  const { kind, title, folder, model, agent, policy } = parent;
  const isNew = await insertSession(database, { kind, title, folder, model, agent, policy, ...as }, place);
  if (isNew) await appendSessionEvents(database, as.sessionId, [{ key: 'fork', kind: 'fork', body: place }]);
}

/** The session among its ancestors that has the row itself. */
async function owner(database: Queries, place: SessionPlace): Promise<SessionPlace> {
  const row = await selectSession(database, place.sessionId).executeTakeFirstOrThrow();
  if (row.parent_session_id === null || row.parent_seq === null || place.seq > row.parent_seq) return place;
  return await owner(database, { sessionId: row.parent_session_id, seq: place.seq });
}

/** Rows after a seq, up to `place`. */
async function readOn(
  database: Queries,
  place: SessionPlace,
  { afterSeq, limit }: { readonly afterSeq: number; readonly limit?: number },
): Promise<readonly SessionEvent[]> {
  const rows = await selectRows(database, place)
    .where('seq', '>', afterSeq)
    .orderBy('seq')
    .$if(limit !== undefined, (query) => query.limit(limit ?? 0))
    .execute();
  const own = rows.map(sessionEvent);
  const first = own[0];
  if (first?.kind !== 'fork' || first.body.seq <= afterSeq) return own;
  const before = await readOn(database, first.body, { afterSeq, ...(limit === undefined ? {} : { limit }) });
  return [...before, ...own].slice(0, limit);
}

/** The newest rows up to `place`. */
async function readBack(database: Queries, place: SessionPlace, last: number): Promise<readonly SessionEvent[]> {
  const rows = await selectRows(database, place).orderBy('seq', 'desc').limit(last).execute();
  const own = rows.map(sessionEvent).toReversed();
  const first = own[0];
  if (first?.kind !== 'fork' || own.length === last) return own;
  return [...(await readBack(database, first.body, last - own.length)), ...own];
}

function selectRows(database: Queries, { sessionId, seq }: SessionPlace) {
  return database
    .selectFrom('session_event')
    .select(['seq', 'kind', 'body'])
    .where('session_id', '=', sessionId)
    .where('seq', '<=', seq);
}

function selectSession(database: Queries, sessionId: string) {
  return database.selectFrom('session').selectAll().where('session_id', '=', sessionId);
}

async function lockSession(database: Queries, sessionId: string): Promise<Selectable<SessionTable>> {
  const row = await selectSession(database, sessionId).forNoKeyUpdate().executeTakeFirst();
  if (row === undefined) throw noSession(sessionId);
  return row;
}

function sessionRecord(row: Selectable<SessionTable>): SessionRecord {
  const { parent_session_id: parentId, parent_seq: parentSeq } = row;
  return {
    sessionId: row.session_id,
    kind: z.enum(sessionKinds).parse(row.kind),
    title: row.title,
    folder: row.folder,
    model: row.model,
    agent: row.agent,
    policy: ContextPolicy.nullable().parse(row.policy) ?? defaultContextPolicy,
    parent: parentId === null || parentSeq === null ? null : { sessionId: parentId, seq: parentSeq },
    headSeq: row.head_seq,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at,
  };
}

function sessionEvent(row: { readonly seq: number; readonly kind: string; readonly body: unknown }): SessionEvent {
  if (!Object.hasOwn(sessionEventBodies, row.kind)) {
    throw new CodetetherError('internal', `unknown session event ${row.kind}`);
  }
  const kind = row.kind as SessionEventKind;
  // Kind and body belong together: the body was parsed with its kind's own schema.
  return { seq: row.seq, kind, body: sessionEventBodies[kind].parse(row.body) } as SessionEvent;
}

function noSession(sessionId: string): CodetetherError {
  return new CodetetherError('not-found', `there is no session ${sessionId}`, {
    next: 'List what there is with codetether sessions list.',
  });
}
