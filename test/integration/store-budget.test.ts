import { expect, test } from 'vitest';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';
import { budgetLineKey } from '../../domain/run/budget.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { plan, warning } from './store-fixtures.ts';
import type { PlanOptions } from './store-fixtures.ts';

let store: PostgresStore;
let count = 0;

withTestStore((opened) => {
  store = opened;
});

async function opened(options: PlanOptions): Promise<string> {
  const runId = `ralph:budget-${++count}:x`;
  await store.openRun(plan({ runId, ...options }));
  return runId;
}

function call(runId: string, step: number, usd: number, tokens = 0) {
  const sessionId = `${runId}:US-1:1`;
  const price = { inputUsd: 1, cachedInputUsd: 1, cacheWriteUsd: 1, outputUsd: 1, source: 'script' } as const;
  return { key: `${sessionId}:${step}`, runId, storyId: 'US-1', sessionId, model: 'scripted/x', tokens, usd, price };
}

function answer(runId: string, step: number, costUsd: number): ModelCallAnswer {
  const { key, storyId, sessionId } = call(runId, step, 0);
  return {
    key,
    runId,
    storyId,
    sessionId,
    model: 'scripted/x',
    result: {
      kind: 'answered',
      stop: 'tool-calls',
      toolCalls: [{ id: 'c1', name: 'bash', risk: 'shell', label: 'bash npm test' }],
      usage: { inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, costUsd },
    },
    sessionEvent: { key: String(step), kind: 'assistant', body: { text: 'hi', toolCalls: [] } },
    runEvents: [warning(`answered:${step}`)],
  };
}

test('eight calls that race for the last cent: exactly one gets it', async () => {
  const runId = await opened({ maxCostUsd: 0.05 });
  for (let step = 1; step <= 4; step++)
    expect(await store.reserveModelCall(call(runId, step, 0.01))).toMatchObject({ kind: 'reserved' });
  const race = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => await store.reserveModelCall(call(runId, 10 + index, 0.01))),
  );
  expect(race.filter((result) => result.kind === 'reserved').length).toBe(1);
  expect(race.filter((result) => result.kind === 'budget-exceeded' && result.budget === 'max-cost').length).toBe(7);
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0.05, spentUsd: 0 });
});

test('the token cap holds in the same race', async () => {
  const runId = await opened({ maxTokens: 1000 });
  const race = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => await store.reserveModelCall(call(runId, index, 1, 300))),
  );
  expect(race.filter((result) => result.kind === 'reserved').length).toBe(3);
  expect((await store.getRun(runId))?.ledger.reservedTokens).toBe(900);
});

test('the step cap holds in the same race, and a call that was given back is no step', async () => {
  const runId = await opened({ maxTotalSteps: 3 });
  const race = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => await store.reserveModelCall(call(runId, index, 0.01))),
  );
  const won = race.flatMap((result, index) => (result.kind === 'reserved' ? [index] : []));
  expect(won.length).toBe(3);
  await store.releaseModelCall(call(runId, won[0] ?? 0, 0).key);
  await store.answerModelCall(answer(runId, won[1] ?? 0, 0.01));
  expect((await store.getRun(runId))?.ledger).toMatchObject({ steps: 2 });
  expect(await store.reserveModelCall(call(runId, 20, 0.01))).toMatchObject({ kind: 'reserved' });
  expect(await store.reserveModelCall(call(runId, 21, 0.01))).toEqual({
    kind: 'budget-exceeded',
    budget: 'max-total-steps',
  });
  // A cut call's step is given back with its reservation, an answered one's is not.
  await store.openRun(plan({ runId, maxTotalSteps: 3 }));
  expect((await store.getRun(runId))?.ledger).toMatchObject({ steps: 1, reservedUsd: 0 });
  await store.answerModelCall(answer(runId, 20, 0.01));
  expect((await store.getRun(runId))?.ledger).toMatchObject({ steps: 2 });
});

test('a call that is tried again keeps to what its first try got; another model reserves anew', async () => {
  const runId = await opened({ maxTokens: 1000 });
  expect(await store.reserveModelCall(call(runId, 1, 0.01, 400))).toEqual({ kind: 'reserved', tokens: 400 });
  expect(await store.reserveModelCall(call(runId, 1, 0.09, 900))).toEqual({ kind: 'reserved', tokens: 400 });
  const other = { ...call(runId, 1, 0.09, 900), model: 'scripted/y' };
  expect(await store.reserveModelCall(other)).toEqual({ kind: 'reserved', tokens: 900 });
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedTokens: 900, reservedUsd: 0.09, steps: 1 });
  await store.answerModelCall(answer(runId, 1, 0.02));
  expect(await store.reserveModelCall(other)).toEqual({ kind: 'answered' });
});

test('what a cut call holds is given back when its attempt is over, and not that of other stories', async () => {
  const runId = await opened({ maxCostUsd: 1 });
  await store.reserveModelCall(call(runId, 1, 0.5));
  await store.reserveModelCall({ ...call(runId, 2, 0.25), storyId: 'US-2' });
  await store.record({
    runId,
    events: [warning('attempt-over')],
    story: { storyId: 'US-1', status: 'open' },
  });
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0.25, steps: 1 });
});

test('other caps count from the next call on', async () => {
  const runId = await opened({ maxCostUsd: 0.01 });
  expect(await store.reserveModelCall(call(runId, 1, 0.02))).toMatchObject({ kind: 'budget-exceeded' });
  await store.record({ runId, events: [warning('caps')], run: { caps: { maxCostUsd: 0.02 } } });
  expect(await store.reserveModelCall(call(runId, 1, 0.02))).toMatchObject({ kind: 'reserved' });
  expect((await store.getRun(runId))?.options).toMatchObject({ maxCostUsd: 0.02, maxTokens: null, maxAttempts: 3 });
});

test('spending is told by story and model, with the price that it was counted at', async () => {
  const runId = await opened({});
  await store.reserveModelCall(call(runId, 1, 0.5, 100));
  await store.answerModelCall(answer(runId, 1, 0.2));
  await store.reserveModelCall(call(runId, 2, 0.5, 100));
  await store.reserveModelCall({ ...call(runId, 3, 0.25, 50), storyId: 'US-2', model: 'x/y' });
  const price = { inputUsd: 1, cachedInputUsd: 1, cacheWriteUsd: 1, outputUsd: 1, source: 'script' };
  expect(await store.spending(runId)).toEqual([
    {
      storyId: 'US-1',
      model: 'scripted/x',
      calls: 2,
      usage: { inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, costUsd: 0.2 },
      reservedUsd: 0.5,
      reservedTokens: 100,
      price,
    },
    {
      storyId: 'US-2',
      model: 'x/y',
      calls: 1,
      usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 },
      reservedUsd: 0.25,
      reservedTokens: 50,
      price,
    },
  ]);
  expect(await store.modelCallUsage(call(runId, 1, 0).key)).toEqual({
    model: 'scripted/x',
    usage: { inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, costUsd: 0.2 },
  });
  expect(await store.modelCallUsage(call(runId, 2, 0).key)).toBeUndefined();
});

test('sums of cents that floats get wrong fit exactly under the cap', async () => {
  const runId = await opened({ maxCostUsd: 0.3 });
  for (const [step, usd] of [0.1, 0.2].entries()) {
    expect(await store.reserveModelCall(call(runId, step, usd))).toMatchObject({ kind: 'reserved' });
  }
  expect(await store.reserveModelCall(call(runId, 9, 0.000000001))).toEqual({
    kind: 'budget-exceeded',
    budget: 'max-cost',
  });
});

test('a hundred answers at ten cents cost ten dollars exactly', async () => {
  const runId = await opened({});
  for (let step = 0; step < 100; step++) await store.answerModelCall(answer(runId, step, 0.1));
  expect((await store.getRun(runId))?.ledger.spentUsd).toBe(10);
});

test('a call that was reserved and not answered keeps its one reservation', async () => {
  const runId = await opened({ maxCostUsd: 0.01 });
  await Promise.all(
    Array.from({ length: 4 }, async () =>
      expect(await store.reserveModelCall(call(runId, 1, 0.01))).toMatchObject({ kind: 'reserved' }),
    ),
  );
  expect((await store.getRun(runId))?.ledger.reservedUsd).toBe(0.01);
});

test('an answer ends its reservation, counts for run and story, and is there for the next try', async () => {
  const runId = await opened({ maxCostUsd: 1, maxTokens: 10_000 });
  await store.reserveModelCall(call(runId, 1, 0.5, 5000));
  const key = call(runId, 1, 0).key;
  expect(await store.getModelCall(key)).toBeUndefined();
  await Promise.all([
    store.answerModelCall(answer(runId, 1, 0.25)),
    store.answerModelCall(answer(runId, 1, 0.25)),
    store.answerModelCall(answer(runId, 1, 0.25)),
  ]);
  const run = await store.getRun(runId);
  expect(run?.ledger).toEqual({ spentUsd: 0.25, spentTokens: 110, reservedUsd: 0, reservedTokens: 0, steps: 1 });
  expect(run?.usage).toEqual({ inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, costUsd: 0.25 });
  expect((await store.getStory(runId, 'US-1'))?.usage).toEqual(run?.usage);
  expect(await store.getModelCall(key)).toEqual(answer(runId, 1, 0.25).result);
  expect((await store.readSession(`${runId}:US-1:1`)).length).toBe(1);
  expect(run?.headSeq).toBe(1);
});

test('a reservation is given back once, and an answered call has none to give back', async () => {
  const runId = await opened({ maxCostUsd: 1 });
  await store.reserveModelCall(call(runId, 1, 0.5));
  await store.reserveModelCall(call(runId, 2, 0.5));
  await store.answerModelCall(answer(runId, 2, 0.2));
  const keys = [1, 1, 2].map((step) => call(runId, step, 0).key);
  await Promise.all(keys.map(async (key) => await store.releaseModelCall(key)));
  await store.releaseModelCall('none');
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0, spentUsd: 0.2 });
});

test('spending goes on counting in the next execution, reservations that nobody can answer do not', async () => {
  const runId = await opened({ maxCostUsd: 1 });
  await store.answerModelCall(answer(runId, 1, 0.75));
  await store.reserveModelCall(call(runId, 2, 0.25));
  await store.openRun(plan({ runId, maxCostUsd: 1 }));
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0, spentUsd: 0.75 });
  expect(await store.reserveModelCall(call(runId, 3, 0.3))).toMatchObject({ kind: 'budget-exceeded' });
  await store.answerModelCall(answer(runId, 2, 0.1));
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0, spentUsd: 0.85 });
});

test('the line of a cap holds calls back until it stands in the events, and again for another cap', async () => {
  const runId = await opened({ maxCostUsd: 1, askAtPercent: 80 });
  await store.answerModelCall(answer(runId, 1, 0.79));
  expect(await store.reserveModelCall(call(runId, 2, 0.01))).toMatchObject({ kind: 'reserved' });
  await store.answerModelCall(answer(runId, 2, 0.01));
  const line = { percent: 80, spentUsd: 0.8, maxCostUsd: 1 };
  expect(await store.reserveModelCall(call(runId, 3, 0.01))).toEqual({ kind: 'budget-line', line });
  expect((await store.getRun(runId))?.ledger).toMatchObject({ reservedUsd: 0, steps: 2 });
  const told = { key: budgetLineKey(line), kind: 'budget-line-reached', body: line } as const;
  await store.appendRunEvents(runId, [told]);
  expect(await store.reserveModelCall(call(runId, 3, 0.01))).toMatchObject({ kind: 'reserved' });
  await store.record({ runId, events: [], run: { caps: { maxCostUsd: 2 } } });
  await store.answerModelCall(answer(runId, 3, 0.9));
  expect(await store.reserveModelCall(call(runId, 4, 0.01))).toMatchObject({
    kind: 'budget-line',
    line: { maxCostUsd: 2 },
  });
});
