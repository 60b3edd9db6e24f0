import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunPlan } from '../../domain/contracts/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';
import type { PlanOptions } from './store-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
const plans = new Map<string, RunPlan>();
let count = 0;

withTestStore((opened) => {
  store = opened;
});

beforeEach(async () => {
  api = await startApi(store, { plans });
});

afterEach(async () => {
  await api.close();
});

/** A PRD that preflight accepts; its run has an id of its own. */
function prd(options: PlanOptions = {}): { readonly runId: string; readonly prdPath: string } {
  const number = ++count;
  const runId = options.runId ?? `ralph:api-${number}:wish-${number}`;
  const prdPath = options.prdPath ?? `/repo/${number}.json`;
  plans.set(prdPath, plan({ ...options, runId, prdPath }));
  return { runId, prdPath };
}

function request(prdPath: string) {
  return { kind: 'ralph', prdPath, model: 'scripted/x.yaml' } as const;
}

const ending = { outcome: 'completed', message: '', tip: 't', commits: 1, durationMs: 5 } as const;

test('a start opens the run, starts the workflow and tells where its events begin', async () => {
  const { runId, prdPath } = prd();
  const response = await api.app.inject({ method: 'POST', url: '/v1/runs', payload: request(prdPath) });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({
    kind: 'started',
    afterSeq: 0,
    warnings: ['mind the gap'],
    plan: [],
    run: {
      runId,
      status: 'starting',
      execution: 1,
      passed: 0,
      total: 3,
      model: 'scripted/x.yaml',
      endedAt: null,
      uiUrl: `http://127.0.0.1:8233/namespaces/default/workflows/${encodeURIComponent(runId)}`,
    },
  });
  expect(api.engine.starts).toEqual([
    {
      runId,
      execution: 1,
      hostId: 'tiger-1f2e3d',
      project: 'todo',
      feature: 'due dates',
      branch: 'feature/due-dates',
      options: plan().options,
      gates: ['test'],
      uiUrl: `http://127.0.0.1:8233/namespaces/default/workflows/${encodeURIComponent(runId)}`,
    },
  ]);
});

test('a second start attaches, and says so when its settings differ', async () => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  const same = await api.client.startRun(request(prdPath));
  expect(same).toMatchObject({
    kind: 'attached',
    afterSeq: 0,
    warnings: ['mind the gap'],
    run: { runId, execution: 1 },
  });
  plans.set(prdPath, plan({ runId, prdPath, maxCostUsd: 3 }));
  const other = await api.client.startRun(request(prdPath));
  expect(other.warnings[1]).toContain('limits it was started with go on');
  expect(api.engine.starts.length).toBe(1);
});

test('a start for another PRD of the same run id is refused while it is worked on', async () => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  const other = prd({ runId });
  const response = await api.app.inject({ method: 'POST', url: '/v1/runs', payload: request(other.prdPath) });
  expect(response.statusCode).toBe(409);
  expect(response.headers['content-type']).toContain('application/problem+json');
  expect(response.json()).toMatchObject({
    code: 'run-active',
    problems: [`it works on ${prdPath}`, `asked for was ${other.prdPath}`],
  });
});

test('many simultaneous starts make one execution', async () => {
  const { runId, prdPath } = prd();
  const other = prd();
  const responses = await Promise.all(
    Array.from(
      { length: 15 },
      async (_, index) => await api.client.startRun(request(index % 3 === 0 ? other.prdPath : prdPath)),
    ),
  );
  expect(responses.filter((response) => response.kind === 'started').length).toBe(2);
  expect(api.engine.starts.length).toBe(2);
  expect((await store.getRun(runId))?.execution).toBe(1);
});

test('a run that is over is started again as its next execution', async () => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  await store.finishRun({ runId, execution: 1, ...ending });
  // The workflow leaves the engine a moment after it has recorded its end.
  setTimeout(() => api.engine.end(runId, 'completed'), 150);
  const again = await api.client.startRun(request(prdPath));
  expect(again).toMatchObject({ kind: 'started', afterSeq: 1, run: { execution: 2, status: 'starting' } });
});

test('a dry run tells what would start, stage by stage, and changes nothing', async () => {
  const { runId, prdPath } = prd({
    stories: [
      { id: 'C', dependsOn: ['B'] },
      { id: 'B', dependsOn: ['A', 'P'] },
      { id: 'P', passes: true },
      { id: 'A' },
      { id: 'D', dependsOn: ['P'] },
    ],
  });
  const response = await api.app.inject({
    method: 'POST',
    url: '/v1/runs',
    payload: { ...request(prdPath), dryRun: true },
  });
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({
    kind: 'planned',
    run: { runId, execution: 0, passed: 1, total: 5 },
    plan: [
      { storyId: 'A', title: 'Story A', stage: 0 },
      { storyId: 'D', stage: 0 },
      { storyId: 'B', stage: 1 },
      { storyId: 'C', stage: 2 },
    ],
  });
  expect(await store.getRun(runId)).toBeUndefined();
  expect(api.engine.starts).toEqual([]);
});

test('a start without an engine writes nothing, and works when the engine is back', async () => {
  const { runId, prdPath } = prd();
  api.engine.mode = 'down';
  await expect(api.client.startRun(request(prdPath))).rejects.toMatchObject({ code: 'engine-unreachable' });
  expect(await store.getRun(runId)).toBeUndefined();
  api.engine.mode = 'up';
  expect((await api.client.startRun(request(prdPath))).kind).toBe('started');
});

test('a start that fails after the run was opened ends it as error, and can be tried again as it is', async () => {
  const { runId, prdPath } = prd();
  const { start } = api.engine;
  api.engine.start = async (input) => {
    api.engine.mode = 'down';
    return await start(input);
  };
  await expect(api.client.startRun(request(prdPath))).rejects.toMatchObject({ code: 'engine-unreachable' });
  expect(await store.getRun(runId)).toMatchObject({
    status: 'error',
    outcomeMessage: 'the run could not be started: The Temporal engine does not answer.',
  });
  expect(await store.readRunEvents(runId, { afterSeq: 0, limit: 9 })).toMatchObject([
    { kind: 'run-ended', body: { outcome: 'error' } },
  ]);
  api.engine.mode = 'up';
  api.engine.start = start;
  expect(await api.client.startRun(request(prdPath))).toMatchObject({
    kind: 'started',
    afterSeq: 1,
    run: { execution: 2, message: '' },
  });
});

test('a start whose answer was lost counts when the engine has taken it', async () => {
  const { runId, prdPath } = prd();
  api.engine.mode = 'deaf';
  expect((await api.client.startRun(request(prdPath))).kind).toBe('started');
  expect((await store.getRun(runId))?.status).toBe('starting');
});

test('a run is found by any unique part of its id, with its stories', async () => {
  const { runId } = prd();
  await store.openRun(plan({ runId }));
  await store.openRun(plan({ runId: `${runId}-and-more` }));
  const short = runId.slice(runId.lastIndexOf(':') + 1);
  expect(await api.client.getRun(short)).toMatchObject({
    runId,
    stories: [
      { storyId: 'US-1', status: 'open', problem: null, dependsOn: [] },
      { storyId: 'US-2', dependsOn: ['US-1'] },
      { storyId: 'US-3' },
    ],
  });
  expect((await api.client.getRun(runId)).runId).toBe(runId);
  await expect(api.client.getRun(runId.slice(0, -1))).rejects.toMatchObject({
    code: 'ambiguous-id',
    details: { candidates: expect.arrayContaining([runId, `${runId}-and-more`]) },
  });
  await expect(api.client.getRun('nothing-like-it')).rejects.toMatchObject({
    code: 'not-found',
    message: 'there is no run nothing-like-it',
  });
});

test('a run id may be as long as ids get, and hold colons', async () => {
  const runId = `ralph:${'r'.repeat(67)}:${'b'.repeat(60)}`;
  await store.openRun(plan({ runId }));
  expect((await api.client.getRun(runId)).runId).toBe(runId);
  const raw = await api.app.inject({ url: `/v1/runs/${runId}` });
  expect(raw.json()).toMatchObject({ runId });
});

test('a story is shown with its checks, and with what a red check of its newest attempt wrote', async () => {
  const { runId } = prd();
  await store.openRun(plan({ runId }));
  const log = await store.putBlob(`${'x'.repeat(20_000)} the end`);
  const check = {
    runId,
    storyId: 'US-1',
    attempt: 1,
    where: 'workspace',
    name: 'test',
    command: 'node --test',
    tree: 't',
    commit: null,
    ok: false,
    verdict: 'red',
    exitCode: 1,
    durationMs: 5,
    summary: 'red',
    log,
  } as const;
  await store.recordCheck(check);
  await store.recordCheck({ ...check, attempt: 2 });
  await store.recordCheck({ ...check, attempt: 2, name: 'lint', ok: true, verdict: 'ok', exitCode: 0 });
  const story = await api.client.getStory(runId, 'US-1');
  expect(story).toMatchObject({ runId, storyId: 'US-1', title: 'Story US-1' });
  expect(story.checks.map((row) => [row.attempt, row.name, row.output?.length ?? null])).toEqual([
    [1, 'test', null],
    [2, 'test', 16_384],
    [2, 'lint', null],
  ]);
  expect(story.checks[1]?.output?.endsWith(' the end')).toBe(true);
  expect(story.checks[0]).toMatchObject({ tree: 't', commit: null, verdict: 'red', exitCode: 1, log });
  expect(await api.client.getCheckLog(runId, 'US-1', log)).toEqual({ log: `${'x'.repeat(20_000)} the end` });
  const other = await store.putBlob('of another story');
  await expect(api.client.getCheckLog(runId, 'US-1', other)).rejects.toMatchObject({ code: 'not-found' });
  await expect(api.client.getStory(runId, 'US-9')).rejects.toMatchObject({ code: 'not-found' });
});

test("a story is shown with what came of each of its attempts, and of nobody else's", async () => {
  const { runId } = prd();
  await store.openRun(plan({ runId }));
  const of = (storyId: string, attempt: number) => ({ storyId, attempt });
  const passed = { commit: 'c', attempts: 2, durationMs: 9, tokens: 1, costUsd: 0, filesChanged: 3 };
  await store.appendRunEvents(runId, [
    { key: 's1', kind: 'story-started', ...of('US-1', 1), body: { title: 't' } },
    { key: 'o1', kind: 'story-started', ...of('US-2', 1), body: { title: 't' } },
    {
      key: 'f1',
      kind: 'attempt-failed',
      ...of('US-1', 1),
      body: { reason: 'tampered', message: 'package.json', triesLeft: 2, durationMs: 5 },
    },
    { key: 's2', kind: 'story-started', ...of('US-1', 2), body: { title: 't' } },
    { key: 'p2', kind: 'story-passed', ...of('US-1', 2), body: passed },
    { key: 's3', kind: 'story-started', ...of('US-1', 3), body: { title: 't' } },
  ]);
  const { attempted } = await api.client.getStory(runId, 'US-1');
  expect(attempted).toMatchObject([
    { attempt: 1, outcome: 'failed', reason: 'tampered', message: 'package.json', durationMs: 5 },
    { attempt: 2, outcome: 'passed', reason: null, durationMs: 9, filesChanged: 3 },
    { attempt: 3, outcome: 'unfinished', endedAt: null, durationMs: null },
  ]);
});

test('runs are listed newest start first, as many as asked for', async () => {
  const first = prd();
  const second = prd();
  for (const { runId } of [first, second, first]) await store.openRun(plan({ runId }));
  const { runs } = await api.client.listRuns({ limit: 2 });
  expect(runs.map((run) => run.runId)).toEqual([first.runId, second.runId]);
});

test.each(['pause', 'resume', 'stop', 'cancel'] as const)('%s reaches the run that is meant', async (verb) => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  expect((await api.client.steer(runId.split(':')[2] ?? '', verb)).run.runId).toBe(runId);
  expect(api.engine.steered).toEqual([[runId, verb]]);
});

test('a run that is over takes no steering', async () => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  await store.finishRun({ runId, execution: 1, ...ending });
  await expect(api.client.steer(runId, 'stop')).rejects.toMatchObject({
    code: 'run-not-active',
    message: `${runId} is completed`,
  });
  expect(api.engine.steered).toEqual([]);
});

test.each([
  ['terminated', 'error', 'the run was terminated in the engine'],
  ['failed', 'error', 'the run failed in the engine'],
  ['timed out', 'error', 'the run timed out in the engine'],
  ['cancelled', 'cancelled', 'the run was cancelled in the engine'],
] as const)('a run that was %s behind our back is corrected when it is read', async (how, status, message) => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  await store.record({ runId, events: [], run: { status: 'running' } });
  api.engine.end(runId, how);
  const { runs } = await api.client.listRuns({ limit: 1 });
  expect(runs).toMatchObject([{ runId, status, message }]);
  expect((await api.client.getRun(runId)).endedAt).not.toBeNull();
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 9 });
  expect(events).toMatchObject([{ kind: 'run-ended', body: { outcome: status, message } }]);
});

test('a row is believed while the engine does not answer, and while the run may still be starting', async () => {
  const { runId, prdPath } = prd();
  await api.client.startRun(request(prdPath));
  api.engine.mode = 'down';
  expect((await api.client.getRun(runId)).status).toBe('starting');
  api.engine.mode = 'up';
  api.engine.runs.set(runId, { kind: 'closed', execution: 0, how: 'completed' });
  expect((await api.client.getRun(runId)).status).toBe('starting');
  api.engine.runs.delete(runId);
  expect((await api.client.getRun(runId)).status).toBe('starting');
});
