import { z } from 'zod';
import type { ReloadPrdInput } from '../../domain/contracts/activities.ts';
import type { ReloadResult } from '../../domain/contracts/ralph.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { Prd, prdGates } from '../../domain/ralph/prd.ts';
import { isNoChange, prdChanges, statusAfterReload } from '../../domain/ralph/reload.ts';
import { runEventBodies } from '../../domain/run/events.ts';
import { createBlobStore } from './blob-store.ts';
import { cleanText, jsonText } from './json.ts';
import { appendRunEvents } from './run-events.ts';
import { followStories } from './run-open.ts';
import { lockRun, selectStories, storedPrd, storyRecord } from './run-rows.ts';
import type { Queries } from './transaction.ts';

/** See `ProjectionActivities.reloadPrd`; to be called in a transaction. */
export async function reloadPrd(database: Queries, input: ReloadPrdInput): Promise<ReloadResult> {
  const { runId } = input;
  const run = await lockRun(database, runId);
  if (run === undefined) throw new CodetetherError('not-found', `there is no run ${runId}`);
  const key = `reload:${input.reloadId}`;
  const done = await reloadedBefore(database, runId, key);
  if (done !== undefined) return done;
  const prd = await readPrd(database, input.prd);
  const rows = (await selectStories(database, runId).execute()).map(storyRecord);
  const changes = prdChanges({ prd: storedPrd(run.prd), stories: rows }, prd, new Date(input.savedAt));
  const leaving = [...changes.removed, ...changes.passed];
  const storyIds = leaving.filter((id) => input.merging.includes(id));
  if (storyIds.length > 0) return { kind: 'refused', storyIds };

  const { stories, ...rest } = prd;
  const stopped = leaving.filter((id) => input.inFlight.includes(id));
  const gates = prdGates(prd);
  if (!isNoChange(changes)) {
    const body = runEventBodies['prd-reloaded'].parse({ ...changes, gates, stopped });
    await appendRunEvents(database, runId, [{ key, kind: 'prd-reloaded', body }]);
  }
  await database
    .updateTable('run')
    .set({ prd: jsonText(rest), project: cleanText(prd.project), feature: cleanText(prd.feature) })
    .where('run_id', '=', runId)
    .execute();
  const statuses = new Map(rows.map(({ story, status }) => [story.id, status]));
  const followed = stories.map((story) => ({
    story,
    status: statusAfterReload(story, statuses.get(story.id), changes),
  }));
  await followStories(database, runId, followed, { tries: 'keep' });
  return { kind: 'reloaded', gates, changedGates: changes.changedGates, stopped };
}

async function reloadedBefore(database: Queries, runId: string, key: string): Promise<ReloadResult | undefined> {
  const row = await database
    .selectFrom('run_event')
    .select('body')
    .where('run_id', '=', runId)
    .where('key', '=', key)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { gates, changedGates, stopped } = runEventBodies['prd-reloaded'].parse(row.body);
  return { kind: 'reloaded', gates, changedGates, stopped };
}

async function readPrd(database: Queries, hash: string): Promise<Prd> {
  const text = await createBlobStore(database).getBlob(hash);
  if (text === undefined) throw new CodetetherError('not-found', `there is no PRD ${hash}`);
  return Prd.parse(z.json().parse(JSON.parse(text)));
}
