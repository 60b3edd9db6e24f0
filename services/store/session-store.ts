import { sql } from 'kysely';
import type { SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { sessionEventBodies } from '../../domain/session/transcript.ts';
import type { NewSessionEvent, SessionEvent, SessionEventKind } from '../../domain/session/transcript.ts';
import { jsonText } from './json.ts';
import type { Queries } from './transaction.ts';

export function createSessionStore(database: Queries): SessionStore {
  return {
    appendSessionEvents: async (sessionId, events) => {
      await appendSessionEvents(database, sessionId, events);
    },
    readSession: async (sessionId, { last } = {}) => {
      const rows = database
        .selectFrom('session_event')
        .select(['seq', 'kind', 'body'])
        .where('session_id', '=', sessionId);
      if (last === undefined) return (await rows.orderBy('seq').execute()).map(sessionEvent);
      const newestFirst = await rows.orderBy('seq', 'desc').limit(last).execute();
      return newestFirst.map(sessionEvent).toReversed();
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

function sessionEvent(row: { readonly seq: number; readonly kind: string; readonly body: unknown }): SessionEvent {
  if (!Object.hasOwn(sessionEventBodies, row.kind)) {
    throw new CodetetherError('internal', `unknown session event ${row.kind}`);
  }
  const kind = row.kind as SessionEventKind;
  // Kind and body belong together: the body was parsed with its kind's own schema.
  return { seq: row.seq, kind, body: sessionEventBodies[kind].parse(row.body) } as SessionEvent;
}
