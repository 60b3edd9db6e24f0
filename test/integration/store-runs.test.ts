import { expect, test } from 'vitest';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { plan, warning } from './store-fixtures.ts';
import type { PlanOptions } from './store-fixtures.ts';

let store: PostgresStore;
let count = 0;

withTestStore((opened) => {
  store = opened;
});

async function opened(options: PlanOptions = {}): Promise<string> {
  const runId = `ralph:runs-${++count}:due-dates`;
  await store.openRun(plan({ runId, ...options }));
  return runId;
}

async function statuses(runId: string): Promise<Record<string, string>> {
  return Object.fromEntries((await store.getStories(runId)).map((story) => [story.story.id, story.status]));
}

async function attempt(runId: string, storyId: string, number: number, status: 'passed' | 'failed' | 'open') {
  await store.record({
    runId,
    events: [
      {
        key: `${storyId}:${number}:started`,
        kind: 'story-started',
        storyId,
        attempt: number,
        body: { title: storyId },
      },
    ],
    story: { storyId, status: 'running', attempts: number },
  });
  await store.record({
    runId,
    events: [warning(`${storyId}:${number}:ended`)],
    story: {
      storyId,
      status,
      addDurationMs: 1500,
      ...(status === 'passed'
        ? { commit: 'c0ffee', feedback: null }
        : { feedback: { reason: 'gate-failed', message: 'test is red' } }),
    },
  });
}

const ending = { outcome: 'quality-failed', message: 'm', tip: 'tip2', commits: 2, durationMs: 9 } as const;

test('a new run starts at execution 1 with its stories open in PRD order', async () => {
  const runId = await opened({ stories: [{ id: 'B' }, { id: 'A', passes: true }], maxCostUsd: 2.5 });
  expect(await store.getRun(runId)).toMatchObject({
    runId,
    kind: 'ralph',
    status: 'starting',
    project: 'todo',
    execution: 1,
    base: null,
    tip: null,
    headSeq: 0,
    openedSeq: 0,
    passed: 1,
    total: 2,
    options: { maxCostUsd: 2.5, maxTokens: null },
    prd: { project: 'todo', qualityChecks: { test: 'node --test' } },
    ledger: { spentUsd: 0, spentTokens: 0, reservedUsd: 0, reservedTokens: 0 },
    endedAt: null,
  });
  const stories = await store.getStories(runId);
  expect(stories.map((story) => [story.position, story.story.id, story.status])).toEqual([
    [0, 'B', 'open'],
    [1, 'A', 'passed'],
  ]);
  expect(await store.getStory(runId, 'A')).toMatchObject({ status: 'passed', attempts: 0, commit: null });
  expect(await store.getStory(runId, 'none')).toBeUndefined();
  expect(await store.getRun('none')).toBeUndefined();
});

test('record applies events, run and story together, and nothing of it a second time', async () => {
  const runId = await opened();
  const input = {
    runId,
    events: [warning('first'), warning('second')],
    run: { status: 'running', base: 'b1', tip: 't1' },
    story: { storyId: 'US-1', status: 'running', attempts: 1, addDurationMs: 10 },
  } as const;
  await Promise.all([store.record(input), store.record(input), store.record(input)]);
  await store.record({ ...input, events: [warning('first'), warning('third')], run: { status: 'error' } });
  expect(await store.getRun(runId)).toMatchObject({ status: 'running', base: 'b1', tip: 't1', headSeq: 2 });
  expect(await store.getStory(runId, 'US-1')).toMatchObject({
    attempts: 1,
    tries: 1,
    durationMs: 10,
    status: 'running',
  });
});

test('a try is counted when an attempt starts, and feedback and commit follow the patches', async () => {
  const runId = await opened();
  await attempt(runId, 'US-1', 1, 'open');
  expect(await store.getStory(runId, 'US-1')).toMatchObject({
    status: 'open',
    attempts: 1,
    tries: 1,
    durationMs: 1500,
    feedback: { reason: 'gate-failed', message: 'test is red' },
    endedAt: null,
  });
  await attempt(runId, 'US-1', 2, 'passed');
  const story = await store.getStory(runId, 'US-1');
  expect(story).toMatchObject({ status: 'passed', attempts: 2, tries: 2, durationMs: 3000, feedback: null });
  expect(story?.commit).toBe('c0ffee');
  expect(story?.startedAt).toBeInstanceOf(Date);
  expect(story?.endedAt).toBeInstanceOf(Date);
});

test('a record for a story that is not there changes nothing', async () => {
  const runId = await opened();
  const input = { runId, events: [warning('x')], story: { storyId: 'none', attempts: 1 } };
  await expect(store.record(input)).rejects.toMatchObject({ code: 'not-found' });
  expect((await store.getRun(runId))?.headSeq).toBe(0);
});

test('a story waits for one at work that names a file which it has changed before', async () => {
  const runId = await opened({
    stories: [{ id: 'US-1', title: 'Mend src/a.ts' }, { id: 'US-2' }, { id: 'US-3', title: 'Rename src/b.ts' }],
  });
  await store.record({ runId, events: [warning('x')], story: { storyId: 'US-2', files: ['src/a.ts', 'src/c.ts'] } });
  const { ready, held } = await store.readyStories({ runId, inFlight: ['US-1'], limit: 4 });
  expect(ready.map((story) => story.storyId)).toEqual(['US-3']);
  expect(held).toEqual([{ storyId: 'US-2', by: 'US-1', files: ['src/a.ts'] }]);
});

test('ready stories are the ones whose prerequisites passed, with the number of their next attempt', async () => {
  const runId = await opened({
    stories: [
      { id: 'US-1', title: `${'x'.repeat(79)}😀 and more` },
      { id: 'US-2', dependsOn: ['US-1'] },
      { id: 'US-3' },
    ],
  });
  expect(await store.readyStories({ runId, inFlight: [], limit: 1 })).toEqual({
    held: [],
    ready: [{ storyId: 'US-1', title: 'x'.repeat(79), attempt: 1, tries: 0, verificationSteps: 0 }],
    total: 3,
    passed: 0,
    open: 3,
  });
  await attempt(runId, 'US-1', 1, 'passed');
  await attempt(runId, 'US-3', 1, 'open');
  const next = await store.readyStories({ runId, inFlight: [], limit: 9 });
  expect(next.ready.map((story) => [story.storyId, story.attempt, story.tries])).toEqual([
    ['US-2', 1, 0],
    ['US-3', 2, 1],
  ]);
  expect(await store.readyStories({ runId, inFlight: ['US-2'], limit: 0 })).toEqual({
    held: [],
    ready: [],
    total: 3,
    passed: 1,
    open: 1,
  });
});

test('the end of a run blocks what can never start, reopens what was running and writes the totals once', async () => {
  const runId = await opened({
    stories: [
      { id: 'A' },
      { id: 'B', dependsOn: ['A'] },
      { id: 'C', dependsOn: ['B'] },
      { id: 'D' },
      { id: 'E' },
      { id: 'F', passes: true },
    ],
  });
  await attempt(runId, 'A', 1, 'failed');
  await attempt(runId, 'D', 1, 'passed');
  await store.record({ runId, events: [warning('e')], story: { storyId: 'E', status: 'running', attempts: 1 } });
  const before = (await store.getRun(runId))?.headSeq ?? 0;
  await Promise.all([
    store.finishRun({ runId, execution: 1, ...ending }),
    store.finishRun({ runId, execution: 1, ...ending }),
  ]);
  await store.finishRun({ runId, execution: 1, ...ending, outcome: 'error' });
  expect(await statuses(runId)).toEqual({
    A: 'failed',
    B: 'blocked',
    C: 'blocked',
    D: 'passed',
    E: 'open',
    F: 'passed',
  });
  const events = await store.readRunEvents(runId, { afterSeq: before, limit: 99 });
  expect(events.map((event) => [event.kind, event.storyId, event.body])).toEqual([
    ['story-blocked', 'B', { by: ['A'] }],
    ['story-blocked', 'C', { by: ['A'] }],
    [
      'run-ended',
      null,
      {
        outcome: 'quality-failed',
        message: 'm',
        passed: 2,
        total: 6,
        branch: 'feature/due-dates',
        tip: 'tip2',
        commits: 2,
        tokens: 0,
        costUsd: 0,
        durationMs: 9,
      },
    ],
  ]);
  const run = await store.getRun(runId);
  expect(run).toMatchObject({ status: 'quality-failed', tip: 'tip2', outcomeMessage: 'm' });
  expect(run?.endedAt).toBeInstanceOf(Date);
});

test('an older execution cannot end a newer one', async () => {
  const runId = await opened();
  await store.openRun(plan({ runId }));
  await store.finishRun({ runId, execution: 1, ...ending });
  expect((await store.getRun(runId))?.status).toBe('starting');
});

test('an execution that was taken for dead and lived on ends a second time', async () => {
  const runId = await opened();
  await store.finishRun({ runId, execution: 1, ...ending, outcome: 'error' });
  await store.record({ runId, events: [warning('alive')], run: { status: 'running' } });
  const last = { runId, execution: 1, ...ending, outcome: 'completed' } as const;
  await store.finishRun(last);
  await store.finishRun(last);
  expect((await store.getRun(runId))?.status).toBe('completed');
  const kinds = (await store.readRunEvents(runId, { afterSeq: 0, limit: 9 })).map((event) => event.kind);
  expect(kinds).toEqual(['run-ended', 'warning', 'run-ended']);
});

test('a run that is opened again follows the PRD, keeps its log and never uses an attempt number twice', async () => {
  const runId = await opened({ stories: ['A', 'B', 'C', 'D', 'E'].map((id) => ({ id })) });
  await attempt(runId, 'A', 1, 'passed');
  await attempt(runId, 'B', 1, 'failed');
  await attempt(runId, 'C', 1, 'passed');
  await attempt(runId, 'D', 1, 'open');
  await store.finishRun({ runId, execution: 1, ...ending });
  const headSeq = (await store.getRun(runId))?.headSeq;

  const second = plan({
    runId,
    maxTokens: 77,
    stories: [{ id: 'N' }, { id: 'A', passes: true }, { id: 'B' }, { id: 'C', title: 'changed' }],
  });
  expect(await store.openRun(second)).toBe(2);
  expect(await store.getRun(runId)).toMatchObject({
    status: 'starting',
    execution: 2,
    headSeq,
    openedSeq: headSeq,
    outcomeMessage: '',
    endedAt: null,
    passed: 1,
    total: 4,
    tip: 'tip2',
  });
  expect(await store.caps(runId)).toEqual({ maxCostUsd: null, maxTokens: 77, maxTotalSteps: null });
  const stories = await store.getStories(runId);
  expect(
    stories.map((story) => [story.story.id, story.status, story.attempts, story.tries, story.commit, story.feedback]),
  ).toEqual([
    ['N', 'open', 0, 0, null, null],
    ['A', 'passed', 1, 0, 'c0ffee', null],
    ['B', 'open', 1, 0, null, { reason: 'gate-failed', message: 'test is red' }],
    ['C', 'open', 1, 0, null, null],
  ]);
  expect(stories[3]?.story.title).toBe('changed');
  expect(await store.getStory(runId, 'D')).toBeUndefined();

  expect(await store.openRun(plan({ runId, stories: [{ id: 'D' }] }))).toBe(3);
  const ready = await store.readyStories({ runId, inFlight: [], limit: 9 });
  expect(ready.ready.map((story) => [story.storyId, story.attempt])).toEqual([['D', 2]]);
});

test('a PRD of 2,500 stories is opened whole', async () => {
  const stories = Array.from({ length: 2500 }, (_, index) => ({ id: `US-${index}` }));
  const runId = await opened({ stories });
  expect((await store.getRun(runId))?.total).toBe(2500);
  await store.openRun(plan({ runId, stories: stories.slice(0, 1200) }));
  expect((await store.getStories(runId)).map((story) => story.story.id)).toEqual(
    stories.slice(0, 1200).map((story) => story.id),
  );
});

test('runs are listed newest start first', async () => {
  const first = await opened();
  const second = await opened();
  await store.openRun(plan({ runId: first }));
  const ids = (await store.listRuns({ limit: 2 })).map((run) => run.runId);
  expect(ids).toEqual([first, second]);
});

test('an id is found by its beginning or by the beginning of its last part, and an exact one wins', async () => {
  for (const runId of ['ralph:find-a:wish', 'ralph:find-a:wishes', 'ralph:find-b:wishes', 'ralph:find-100%_:x']) {
    await store.openRun(plan({ runId }));
  }
  expect((await store.findRunIds('wis')).toSorted()).toEqual([
    'ralph:find-a:wish',
    'ralph:find-a:wishes',
    'ralph:find-b:wishes',
  ]);
  expect(await store.findRunIds('wish')).toEqual(['ralph:find-a:wish']);
  expect((await store.findRunIds('wishes')).toSorted()).toEqual(['ralph:find-a:wishes', 'ralph:find-b:wishes']);
  expect(await store.findRunIds('ralph:find-a:wish')).toEqual(['ralph:find-a:wish']);
  expect(await store.findRunIds('ralph:find-b')).toEqual(['ralph:find-b:wishes']);
  expect(await store.findRunIds('ralph:find-100%_')).toEqual(['ralph:find-100%_:x']);
  expect(await store.findRunIds('ralph:find%')).toEqual([]);
});

test('workspaces, checks, blobs and hosts come back as they were put', async () => {
  const runId = await opened();
  const workspace = {
    workspaceId: `${runId}:US-1`,
    runId,
    storyId: 'US-1',
    hostId: 'h',
    path: '/repo/.codetether-worktrees/US-1',
    branch: 'b',
    base: 'b1',
    checkpoint: 'c1',
    attempt: 1,
    lease: 0,
    remote: null,
  };
  await store.putWorkspace(workspace);
  await store.putWorkspace({ ...workspace, attempt: 2 });
  const result = {
    sessionId: 's1',
    sessionEvent: {
      key: 'call',
      kind: 'tool-result',
      body: { callId: 'call', tool: 'write', ok: true, output: 'ok' },
    },
    workspaceId: workspace.workspaceId,
    runId,
  } as const;
  const effect = { state: 'done', outcome: null } as const;
  await store.recordToolResult({ ...result, checkpoint: 'c2', runEvents: [warning('tool')], effect });
  expect(await store.getWorkspace(workspace.workspaceId)).toEqual({ ...workspace, attempt: 2, checkpoint: 'c2' });
  await store.recordToolResult({ ...result, checkpoint: 'older', runEvents: [warning('tool')], effect });
  expect((await store.getWorkspace(workspace.workspaceId))?.checkpoint).toBe('c2');
  expect((await store.getRun(runId))?.headSeq).toBe(1);
  await store.deleteWorkspace(workspace.workspaceId);
  expect(await store.getWorkspace(workspace.workspaceId)).toBeUndefined();

  expect(await store.putBlob('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const output = 'grüße\u0000'.repeat(10_000);
  const log = await store.putBlob(output);
  expect(await store.putBlob(output)).toBe(log);
  expect(await store.getBlob(log)).toBe(output);
  expect(await store.getBlob('none')).toBeUndefined();

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
    durationMs: 12.6,
    summary: 'red',
    log,
  } as const;
  await store.recordCheck(check);
  await store.recordCheck({ ...check, ok: true, verdict: 'ok', exitCode: 0, durationMs: 3 });
  await store.recordCheck({ ...check, storyId: null, attempt: null, where: 'baseline' });
  expect(await store.listChecks(runId, 'US-1')).toMatchObject([
    { ...check, durationMs: 13 },
    { ok: true, verdict: 'ok', exitCode: 0 },
  ]);
  expect((await store.listChecks(runId, null)).map((row) => row.where)).toEqual(['baseline']);

  await store.recordCheck({ ...check, name: 'lint', verdict: 'flaky' });
  await store.recordCheck({ ...check, name: 'build', verdict: 'red-as-before' });
  expect(await store.getRun(runId)).toMatchObject({ flakyGates: ['lint'], redGates: ['build'] });

  const host = { hostId: 'h1', name: 'tiger', pid: 1, version: '0.1.0', slots: 8, slotsUsed: 3 };
  await store.seeHost(host);
  await store.seeHost({ ...host, pid: 2 });
  expect(await store.listHosts()).toMatchObject([{ ...host, pid: 2 }]);
});

test('a red gate is held against the baseline, and on the merged tree against what has reached the branch', async () => {
  const runId = await opened({ stories: [{ id: 'US-1' }] });
  const check = {
    runId,
    name: 'test',
    command: 'node --test',
    tree: 't',
    ok: false,
    verdict: 'red',
    exitCode: 1,
    durationMs: 1,
    summary: 's',
    log: 'l',
  } as const;
  const merged = { ...check, storyId: 'US-1', attempt: 1, where: 'merged', commit: 'c1' } as const;
  expect(await store.referenceCheck(runId, 'test', 'workspace')).toBeUndefined();
  const baseline = { ...check, storyId: null, attempt: null, where: 'baseline', commit: 'base' } as const;
  await store.recordCheck({ ...baseline, summary: 'older' });
  await store.recordCheck(baseline);
  await store.recordCheck({ ...merged, ok: true, verdict: 'ok' });
  for (const where of ['workspace', 'merged'] as const)
    expect(await store.referenceCheck(runId, 'test', where)).toEqual(baseline);
  await store.record({
    runId,
    events: [{ key: 'merged', kind: 'warning', body: { message: 'x' } }],
    story: { storyId: 'US-1', status: 'passed', commit: 'c1' },
  });
  expect(await store.referenceCheck(runId, 'test', 'workspace')).toEqual(baseline);
  expect(await store.referenceCheck(runId, 'test', 'merged')).toEqual({ ...merged, ok: true, verdict: 'ok' });
  expect(await store.referenceCheck(runId, 'lint', 'merged')).toBeUndefined();
});
