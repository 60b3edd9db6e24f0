import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { RecordInput, RunPatch, StoryPatch } from '../../domain/contracts/activities.ts';
import type { RunStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { cleanText, jsonText } from './json.ts';
import { appendRunEvents, countRunEvents, newestRunEvents, readRunEvents } from './run-events.ts';
import { rememberFailure } from './failure-memory.ts';
import { finishRun } from './run-finish.ts';
import { openRun, releaseReservations } from './run-open.ts';
import { reloadPrd } from './run-reload.ts';
import { runRecord, selectRuns, selectStories, storyRecord } from './run-rows.ts';
import { readyStories } from './schedule-rows.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const foundRunIds = 20;

export function createRunStore(database: Kysely<Database>): Omit<RunStore, 'watchRunEvents'> {
  return {
    openRun: async (plan) => await inTransaction(database, async (transaction) => await openRun(transaction, plan)),
    getRun: async (runId) => {
      const row = await selectRuns(database).where('run_id', '=', runId).executeTakeFirst();
      return row === undefined ? undefined : runRecord(row);
    },
    listRuns: async ({ limit, before, withDeleted = true }) => {
      const rows = await selectRuns(database)
        .$if(!withDeleted, (query) => query.where('deleted_at', 'is', null))
        .$if(before !== undefined, (query) =>
          query.where(sql<boolean>`(started_at, run_id) < (${before?.startedAt}::timestamptz, ${before?.runId})`),
        )
        .orderBy('started_at', 'desc')
        .orderBy('run_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(runRecord);
    },
    deleteRun: async (runId) => {
      await database
        .updateTable('run')
        .set({ deleted_at: sql<Date>`now()` })
        .where('run_id', '=', runId)
        .where('kind', '=', 'ralph')
        .execute();
    },
    findRunIds: async (part) => await findRunIds(database, part),
    getStories: async (runId) => (await selectStories(database, runId).execute()).map(storyRecord),
    getStory: async (runId, storyId) => {
      const row = await selectStories(database, runId).where('story_id', '=', storyId).executeTakeFirst();
      return row === undefined ? undefined : storyRecord(row);
    },
    readyStories: async (input) => await readyStories(database, input),
    record: async (input) => await record(database, input),
    rememberFailure: async (input) =>
      await inTransaction(database, async (transaction) => await rememberFailure(transaction, input)),
    finishRun: async (input) =>
      await inTransaction(database, async (transaction) => await finishRun(transaction, input)),
    reloadPrd: async (input) =>
      await inTransaction(database, async (transaction) => await reloadPrd(transaction, input)),
    appendRunEvents: async (runId, events) => {
      await appendRunEvents(database, runId, events);
    },
    newestRunEvents: async (runId, kinds) => await newestRunEvents(database, runId, kinds),
    countRunEvents: async (runId, { keyPrefix }) => await countRunEvents(database, runId, keyPrefix),
    readRunEvents: async (runId, options) => await readRunEvents(database, runId, options),
  };
}

async function record(database: Kysely<Database>, input: RecordInput): Promise<void> {
  const { runId, events, run, story } = input;
  if (run === undefined && story === undefined) {
    await appendRunEvents(database, runId, events, { onlyIfFirstIsNew: true });
    return;
  }
  await inTransaction(database, async (transaction) => {
    const added = await appendRunEvents(transaction, runId, events, { onlyIfFirstIsNew: true });
    if (added === 0 && events.length > 0) return;
    if (run !== undefined) await patchRun(transaction, runId, run);
    if (story !== undefined) await patchStory(transaction, runId, story);
  });
}

async function patchRun(database: Queries, runId: string, patch: RunPatch): Promise<void> {
  const changes = {
    ...(patch.status === undefined ? {} : { status: patch.status }),
    ...(patch.base === undefined ? {} : { base: patch.base }),
    ...(patch.tip === undefined ? {} : { tip: patch.tip }),
    ...(patch.outcomeMessage === undefined ? {} : { outcome_message: cleanText(patch.outcomeMessage) }),
    ...(patch.caps === undefined ? {} : { options: sql<string>`options || ${jsonText(patch.caps)}::jsonb` }),
  };
  if (Object.keys(changes).length === 0) return;
  const result = await database.updateTable('run').set(changes).where('run_id', '=', runId).executeTakeFirst();
  if (result.numUpdatedRows === 0n) throw new CodetetherError('not-found', `there is no run ${runId}`);
}

/** An attempt number above the stored one starts an attempt: it counts one try and the time begins. */
async function patchStory(database: Queries, runId: string, patch: StoryPatch): Promise<void> {
  const attempts = patch.attempts ?? 0;
  const ends = patch.status === 'passed' || patch.status === 'failed';
  // The attempt is over: a call of it that was cut off is answered by nobody any more.
  if (ends || patch.status === 'open') await releaseReservations(database, runId, { storyId: patch.storyId });
  const result = await database
    .updateTable('story')
    .set({
      attempts: sql<number>`greatest(attempts, ${attempts}::integer)`,
      tries: sql<number>`tries + CASE WHEN ${attempts}::integer > attempts THEN 1 ELSE 0 END`,
      started_at: sql<Date>`CASE WHEN ${attempts}::integer > attempts THEN now() ELSE started_at END`,
      duration_ms: sql<number>`duration_ms + ${Math.round(patch.addDurationMs ?? 0)}::bigint`,
      ...(patch.status === undefined
        ? {}
        : { status: patch.status, ended_at: ends ? sql<Date>`now()` : sql<null>`NULL` }),
      ...(patch.commit === undefined ? {} : { commit: patch.commit }),
      ...(patch.status === 'passed' ? { failures: '[]' } : {}),
      ...(patch.files === undefined ? {} : { files: jsonText(patch.files) }),
      ...(patch.feedback === undefined ? {} : { feedback: patch.feedback === null ? null : jsonText(patch.feedback) }),
    })
    .where('run_id', '=', runId)
    .where('story_id', '=', patch.storyId)
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) {
    throw new CodetetherError('not-found', `there is no story ${patch.storyId} in ${runId}`);
  }
}

async function findRunIds(database: Queries, part: string): Promise<readonly string[]> {
  const text = cleanText(part);
  const lastPart = sql<string>`regexp_replace(run_id, '^.*:', '')`;
  const rows = await database
    .selectFrom('run')
    .select(['run_id', lastPart.as('last_part')])
    .where('kind', '=', 'ralph')
    .where('deleted_at', 'is', null)
    .where(sql<boolean>`(starts_with(run_id, ${text}) OR starts_with(${lastPart}, ${text}))`)
    .orderBy(sql`run_id = ${text}`, 'desc')
    .orderBy(sql`${lastPart} = ${text}`, 'desc')
    .orderBy('started_at', 'desc')
    .limit(foundRunIds)
    .execute();
  const whole = rows.filter((row) => row.run_id === text);
  const last = rows.filter((row) => row.last_part === text);
  const chosen = whole.length > 0 ? whole : last.length > 0 ? last : rows;
  return chosen.map((row) => row.run_id);
}
