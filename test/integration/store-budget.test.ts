import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { plan, warning } from './store-fixtures.ts';
import type { PlanOptions } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});

afterAll(async () => {
  await store.close();
  await database.drop();
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
  expect(run?.ledger).toEqual({ spentUsd: 0.25, spentTokens: 110, reservedUsd: 0, reservedTokens: 0 });
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
