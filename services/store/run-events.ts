import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { runEventBodies } from '../../domain/run/events.ts';
import type { NewRunEvent, RunEvent, RunEventKind } from '../../domain/run/events.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { jsonText } from './json.ts';
import type { RunEventTable } from './schema.ts';
import type { Queries } from './transaction.ts';

/**
 * Appends in order, skipping keys that are there; wakes readers when the transaction commits.
 * @returns how many were new; with `onlyIfFirstIsNew` none is when the first one's key is there
 */
export async function appendRunEvents(
  database: Queries,
  runId: string,
  events: readonly NewRunEvent[],
  options: { readonly onlyIfFirstIsNew?: boolean } = {},
): Promise<number> {
  if (events.length === 0) return 0;
  const result = await sql<{ added: number }>`
    SELECT append_run_events(${runId}, ${jsonText(events)}::jsonb, ${options.onlyIfFirstIsNew ?? false}) AS added
  `.execute(database);
  return result.rows[0]?.added ?? 0;
}

export async function hasRunEvent(database: Queries, runId: string, key: string): Promise<boolean> {
  const row = await database
    .selectFrom('run_event')
    .select('seq')
    .where('run_id', '=', runId)
    .where('key', '=', key)
    .executeTakeFirst();
  return row !== undefined;
}

export async function countRunEvents(database: Queries, runId: string, keyPrefix: string): Promise<number> {
  const row = await database
    .selectFrom('run_event')
    .select(sql<number>`count(*)`.as('count'))
    .where('run_id', '=', runId)
    .where(sql<boolean>`starts_with(key, ${keyPrefix})`)
    .executeTakeFirstOrThrow();
  return row.count;
}

export async function newestRunEvents(
  database: Queries,
  runId: string,
  kinds: readonly RunEventKind[],
): Promise<RunEvent[]> {
  const rows = await database
    .selectFrom('run_event')
    .distinctOn('story_id')
    .select(['seq', 'kind', 'story_id', 'attempt', 'body', 'at'])
    .where('run_id', '=', runId)
    .where('kind', 'in', kinds)
    .orderBy('story_id')
    .orderBy('seq', 'desc')
    .execute();
  return rows.map(runEvent);
}

export async function readRunEvents(
  database: Queries,
  runId: string,
  options: { readonly afterSeq: number; readonly limit: number; readonly kinds?: readonly RunEventKind[] },
): Promise<RunEvent[]> {
  const { kinds } = options;
  const rows = await database
    .selectFrom('run_event')
    .select(['seq', 'kind', 'story_id', 'attempt', 'body', 'at'])
    .where('run_id', '=', runId)
    .where('seq', '>', options.afterSeq)
    .$if(kinds !== undefined, (query) => query.where('kind', 'in', kinds ?? []))
    .orderBy('seq')
    .limit(options.limit)
    .execute();
  return rows.map(runEvent);
}

type EventRow = Pick<Selectable<RunEventTable>, 'seq' | 'kind' | 'story_id' | 'attempt' | 'body' | 'at'>;

function runEvent(row: EventRow): RunEvent {
  const kind = eventKind(row.kind);
  const event = {
    seq: row.seq,
    at: row.at.toISOString(),
    storyId: row.story_id,
    attempt: row.attempt,
    kind,
    body: runEventBodies[kind].parse(row.body),
  };
  // Kind and body belong together: the body was parsed with its kind's own schema.
  return event as RunEvent;
}

function eventKind(kind: string): RunEventKind {
  if (!Object.hasOwn(runEventBodies, kind)) throw new CodetetherError('internal', `unknown run event ${kind}`);
  return kind as RunEventKind;
}
