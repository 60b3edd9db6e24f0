import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunPlan } from '../../domain/contracts/store.ts';
import type { CheckedStartRequest } from '../../services/api/deps.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
let runId: string;
let asked: CheckedStartRequest[];
let count = 0;

withTestStore((opened) => {
  store = opened;
});
beforeEach(async () => {
  runId = `ralph:resume-${++count}:due-dates`;
  asked = [];
  api = await startApi(store, {
    preflight: async (request) => {
      asked.push(request);
      const planned = plan({ runId });
      const { maxCostUsd = null, maxTokens = null, maxTimeMs = null, maxAttempts = 3 } = request;
      const options = { ...planned.options, maxCostUsd, maxTokens, maxTimeMs, maxAttempts };
      return { plan: { ...planned, options } satisfies RunPlan, warnings: ['mind the gap'] };
    },
  });
});
afterEach(async () => {
  await api.close();
});

/** A run that has spent $0.50 of its cap. */
async function started(maxCostUsd: number | undefined): Promise<void> {
  const cap = maxCostUsd === undefined ? {} : { maxCostUsd };
  await api.client.startRun({ kind: 'ralph', prdPath: '/repo/prd.json', model: 'scripted/x', maxAttempts: 7, ...cap });
  const sessionId = `${runId}:US-1:1`;
  await store.answerModelCall({
    key: `${sessionId}:1`,
    runId,
    storyId: 'US-1',
    sessionId,
    model: 'scripted/x',
    result: {
      kind: 'answered',
      stop: 'finished',
      toolCalls: [],
      usage: { inputTokens: 100, outputTokens: 10, cachedInputTokens: 0, costUsd: 0.5 },
    },
    sessionEvent: { key: '1', kind: 'assistant', body: { text: 'hi', toolCalls: [] } },
    runEvents: [],
  });
}

async function ended(outcome: 'budget-exceeded' | 'completed'): Promise<void> {
  await store.finishRun({ runId, execution: 1, outcome, message: '', tip: 't', commits: 0, durationMs: 5 });
  api.engine.end(runId, 'completed');
}

test('a run that is worked on takes other caps, and goes on when it was paused', async () => {
  await started(1);
  expect(await api.client.resume(runId, { maxCostUsd: 5, maxTimeMs: 60_000 })).toMatchObject({ started: false });
  expect(api.engine.caps).toEqual([[runId, { maxCostUsd: 5, maxTimeMs: 60_000 }]]);
  expect(api.engine.steered).toEqual([]);
  await store.record({ runId, events: [], run: { status: 'paused' } });
  await api.client.resume(runId, { maxTokens: 9000 });
  expect(api.engine.caps.at(-1)).toEqual([runId, { maxTokens: 9000 }]);
  expect(api.engine.steered).toEqual([[runId, 'resume']]);
});

test('a run that has used up its budget goes on as a further execution with its old options and the new cap', async () => {
  await started(0.5);
  await ended('budget-exceeded');
  const resumed = await api.client.resume(runId, { maxCostUsd: 5 });
  expect(resumed).toMatchObject({
    started: true,
    warnings: ['mind the gap'],
    run: { execution: 2, maxCostUsd: 5, spentUsd: 0.5, leftUsd: 4.5, leftTokens: null, steps: 1, leftSteps: null },
  });
  expect(asked[1]).toEqual({
    kind: 'ralph',
    prdPath: '/repo/prd.json',
    repoPath: '/repo',
    branch: 'feature/due-dates',
    model: 'scripted/x.yaml',
    maxIterations: 10,
    maxAttempts: 7,
    maxSteps: 50,
    maxConcurrent: 4,
    maxCostUsd: 5,
    allowUnchecked: true,
    allowDirty: true,
    dryRun: false,
  });
  expect(api.engine.starts).toHaveLength(2);
});

test('a cap that is used up already is refused, whether the run goes on or not', async () => {
  await started(1);
  const refused = { code: 'budget-exceeded', details: { budget: 'max-cost' } };
  await expect(api.client.resume(runId, { maxCostUsd: 0.5 })).rejects.toMatchObject(refused);
  await store.record({ runId, events: [], run: { caps: { maxCostUsd: 0.5 } } });
  await ended('budget-exceeded');
  await expect(api.client.resume(runId, {})).rejects.toMatchObject({
    ...refused,
    next: 'Give it a larger one: codetether ralph resume due-dates --max-cost <more>',
  });
  await expect(api.client.resume(runId, { maxTokens: 1e6 })).rejects.toMatchObject(refused);
  expect(api.engine.starts).toHaveLength(1);
});

test('a run whose stories have all passed is not gone on with', async () => {
  await started(undefined);
  for (const storyId of ['US-1', 'US-2', 'US-3'])
    await store.record({ runId, events: [], story: { storyId, status: 'passed' } });
  await ended('completed');
  await expect(api.client.resume(runId, { maxCostUsd: 5 })).rejects.toMatchObject({ code: 'run-not-active' });
});

test('bad caps are refused by name', async () => {
  await started(1);
  const answer = await api.app.inject({ method: 'POST', url: `/v1/runs/${runId}/resume`, payload: { maxCostUsd: -1 } });
  expect(answer.json()).toMatchObject({ code: 'request-invalid' });
  expect(answer.body).toContain('maxCostUsd');
});

test('a run tells what it has spent by story and model', async () => {
  await started(1);
  expect((await api.client.getRun(runId)).spending).toEqual([
    {
      storyId: 'US-1',
      model: 'scripted/x',
      calls: 1,
      inputTokens: 100,
      outputTokens: 10,
      cachedInputTokens: 0,
      costUsd: 0.5,
      reservedUsd: 0,
      reservedTokens: 0,
      price: null,
    },
  ]);
});

const statuses = async () =>
  Object.fromEntries((await store.getStories(runId)).map(({ story, status }) => [story.id, status]));

test('a run that has ended is started again for one failed story, with a hint; others that failed are left alone', async () => {
  await started(undefined);
  const feedback = { reason: 'gate-failed', message: 'gate test: 1 of 2' };
  for (const storyId of ['US-1', 'US-3'])
    await store.record({ runId, events: [], story: { storyId, status: 'failed', attempts: 2, feedback } });
  await store.finishRun({
    runId,
    execution: 1,
    outcome: 'quality-failed',
    message: '',
    tip: 't',
    commits: 0,
    durationMs: 1,
  });
  api.engine.end(runId, 'completed');
  expect(await statuses()).toEqual({ 'US-1': 'failed', 'US-2': 'blocked', 'US-3': 'failed' });
  await expect(api.client.tellStory(runId, 'US-2', 'retry', '')).rejects.toMatchObject({
    code: 'run-not-active',
    next: 'Retry the story that blocks it: codetether ralph status',
  });

  const answer = await api.client.tellStory(runId, 'US-1', 'retry', 'look in lib/');
  expect(answer).toMatchObject({
    started: true,
    warnings: ['mind the gap'],
    run: { execution: 2, status: 'starting' },
  });
  expect(api.engine.starts[1]).toMatchObject({ execution: 2, retry: 'US-1' });
  expect(await statuses()).toEqual({ 'US-1': 'open', 'US-2': 'open', 'US-3': 'failed' });
  expect(await store.getStory(runId, 'US-1')).toMatchObject({
    tries: 0,
    feedback: { message: 'gate test: 1 of 2\n\nA person says: look in lib/' },
  });
  expect((await store.getStory(runId, 'US-3'))?.feedback).toEqual(feedback);
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 100, kinds: ['story-reopened'] });
  expect(events).toMatchObject([{ storyId: 'US-1', body: { hint: 'look in lib/' } }]);
  const ready = await store.readyStories({ runId, inFlight: [], limit: 9 });
  expect(ready.ready.map(({ storyId }) => storyId)).toEqual(['US-1']);
  // While it goes on, the other one can be tried again, too.
  await api.client.tellStory(runId, 'US-3', 'retry', '');
  expect(api.engine.told).toEqual([[runId, 'retry', { storyId: 'US-3', text: '' }]]);
});
