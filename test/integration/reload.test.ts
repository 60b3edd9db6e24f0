import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPrdFile } from '../../activities/ralph/prd-file.ts';
import { preflightReload } from '../../activities/ralph/preflight.ts';
import type { ReloadResult } from '../../domain/contracts/ralph.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
let folder: string;
let prdPath: string;
let runId: string;
let count = 0;
/** What the workflow says of itself. */
let inFlight: string[];
let merging: string[];

const story = (id: string, more: object = {}) => ({
  id,
  title: `Story ${id}`,
  description: 'd',
  depends_on: [],
  passes: false,
  ...more,
});
const edited = async (stories: readonly object[], more: object = {}) =>
  await writeFile(
    prdPath,
    JSON.stringify({
      project: 'todo',
      feature: 'due dates',
      quality_checks: { test: 'node --test' },
      user_stories: stories,
      ...more,
    }),
  );

withTestStore((opened) => {
  store = opened;
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codetether-reload-'));
  prdPath = join(folder, 'prd.json');
  runId = `ralph:reload-${++count}:due-dates`;
  inFlight = [];
  merging = [];
  api = await startApi(store, {
    readEditedPrd: async (run, { stories, allowUnchecked }) =>
      await preflightReload(
        { ...run, stories: stories.map((row) => row.story) },
        { allowUnchecked, searchPath: process.env['PATH'] ?? '' },
      ),
  });
  const take = api.engine.reload;
  api.engine.reload = async (id, request): Promise<ReloadResult> => {
    await take(id, request);
    const input = { runId: id, ...request, inFlight, merging };
    const [first, second] = [await store.reloadPrd(input), await store.reloadPrd(input)];
    expect(second).toEqual(first);
    return first;
  };
  await edited(['US-1', 'US-2', 'US-3', 'US-4'].map((id) => story(id)));
  const { prd } = await readPrdFile(prdPath);
  await store.openRun({ ...plan({ runId, prdPath }), repoPath: folder, prd });
  api.engine.runs.set(runId, { kind: 'running', execution: 1 });
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

const statuses = async () =>
  Object.fromEntries((await store.getStories(runId)).map((row) => [row.story.id, row.status]));
const reloads = async () =>
  (await store.readRunEvents(runId, { afterSeq: 0, limit: 100 })).filter(({ kind }) => kind === 'prd-reloaded');
const passed = async (storyId: string) =>
  await store.record({ runId, events: [], story: { storyId, status: 'passed', commit: `c-${storyId}` } });

test('a run follows its edited PRD: new stories, other texts, removed ones, other gates, in one event', async () => {
  await passed('US-1');
  await store.record({ runId, events: [], story: { storyId: 'US-4', status: 'failed', attempts: 2 } });
  await edited(
    [
      story('US-1', { passes: true }),
      story('US-2', { description: 'otherwise' }),
      story('US-4', { description: 'mended' }),
      story('US-5', { depends_on: ['US-2'] }),
    ],
    { quality_checks: { test: 'node --test', lint: 'node --check x.js' }, feature: 'dates' },
  );
  const planned = await api.client.reload(runId, { dryRun: true });
  expect(planned).toMatchObject({ applied: false, run: { total: 4 } });
  expect(await reloads()).toEqual([]);

  const answer = await api.client.reload(runId, {});
  expect(answer).toMatchObject({ applied: true, run: { total: 4, passed: 1, feature: 'dates' } });
  expect(answer.changes).toEqual(planned.changes);
  expect(answer.changes).toEqual({
    added: [{ storyId: 'US-5', title: 'Story US-5', dependsOn: ['US-2'] }],
    changed: [
      { storyId: 'US-2', title: 'Story US-2', dependsOn: [] },
      { storyId: 'US-4', title: 'Story US-4', dependsOn: [] },
    ],
    removed: ['US-3'],
    passed: [],
    reopened: [],
    changedGates: ['lint'],
    removedGates: [],
    texts: true,
    gates: ['lint', 'test'],
    stopped: [],
  });
  expect(await reloads()).toMatchObject([{ body: answer.changes }]);
  expect(await statuses()).toEqual({ 'US-1': 'passed', 'US-2': 'open', 'US-4': 'open', 'US-5': 'open' });
  expect((await store.getStory(runId, 'US-2'))?.story.description).toBe('otherwise');
  expect((await store.getStory(runId, 'US-4'))?.tries).toBe(0);
  expect((await store.getRun(runId))?.prd.qualityChecks).toMatchObject({ lint: 'node --check x.js' });

  const bare = await api.app.inject({ method: 'POST', url: `/v1/runs/${runId}/reload` });
  expect(bare.json()).toMatchObject({ applied: false });
  expect(api.engine.reloads).toHaveLength(1);
});

test('a story that has passed is open again only where the file has said so since', async () => {
  await passed('US-1');
  const saved = new Date(Date.now() - 60_000);
  await utimes(prdPath, saved, saved);
  expect(await api.client.reload(runId, {})).toMatchObject({ applied: false });
  await edited(['US-1', 'US-2', 'US-3', 'US-4'].map((id) => story(id)));
  const later = new Date(Date.now() + 1_000);
  await utimes(prdPath, later, later);
  expect((await api.client.reload(runId, {})).changes.reopened).toEqual(['US-1']);
  expect(await store.getStory(runId, 'US-1')).toMatchObject({ status: 'open', commit: null, tries: 0 });
});

test('the agent of a story that is removed or passed by hand stops; one that is being merged is not removed', async () => {
  for (const storyId of ['US-2', 'US-3'])
    await store.record({ runId, events: [], story: { storyId, status: 'running', attempts: 1 } });
  inFlight = ['US-2', 'US-3'];
  merging = ['US-2'];
  await edited([story('US-1'), story('US-3', { passes: true }), story('US-4')]);
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({
    code: 'reload-refused',
    message: 'US-2: being merged right now',
  });
  expect(await statuses()).toMatchObject({ 'US-2': 'running', 'US-3': 'running' });
  merging = [];
  expect((await api.client.reload(runId, {})).changes).toMatchObject({
    removed: ['US-2'],
    passed: ['US-3'],
    stopped: ['US-2', 'US-3'],
  });
  expect(await statuses()).toEqual({ 'US-1': 'open', 'US-3': 'passed', 'US-4': 'open' });
});

test('a file that a start would not take changes nothing', async () => {
  await edited([story('US-1', { depends_on: ['US-9'] })]);
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({ code: 'prd-invalid' });
  await edited([story('US-1')], { quality_checks: { test: 'no-such-program' } });
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({ code: 'gate-command-missing' });
  await edited([story('US-1'), story('US-9')], { quality_checks: {} });
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({ code: 'prd-unchecked' });
  await rm(prdPath);
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({ code: 'prd-missing' });
  expect(api.engine.reloads).toEqual([]);
  expect(Object.keys(await statuses())).toHaveLength(4);
});

test('a run that is over follows the file when it is started again, not before', async () => {
  await store.finishRun({ runId, execution: 1, outcome: 'stopped', message: '', tip: null, commits: 0, durationMs: 1 });
  await expect(api.client.reload(runId, {})).rejects.toMatchObject({ code: 'run-not-active' });
});
