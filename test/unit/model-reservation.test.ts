import { describe, expect, it } from 'vitest';
import type { PreparedCall } from '../../activities/model/provider-call.ts';
import { reserve } from '../../activities/model/reservation.ts';
import type { BudgetCaps, Usage } from '../../domain/run/budget.ts';
import { createFakeModelStore } from '../support/fake-model-store.ts';

const { signal } = new AbortController();
const input = { runId: 'r', storyId: 'US-1', attempt: 1, sessionId: 's', step: 1, model: 'openai/gpt-4.1' };
/** $1 a million in, $10 a million out. */
const price = { inputUsd: 1, cachedInputUsd: 1, cacheWriteUsd: 1, outputUsd: 10, source: 'table' } as const;
const call: PreparedCall = {
  inputTokens: 3_000,
  mostInputTokens: 10_000,
  maxOutputTokens: 8000,
  minOutputTokens: 256,
  price,
  warnings: [],
  send: () => Promise.reject(new Error('not sent')),
};

async function reserved(caps: Partial<BudgetCaps>, spent: Partial<Usage> = {}) {
  const store = createFakeModelStore({ caps, spent });
  return { answer: await reserve(call, { store, input, key: 'k', signal }), store };
}

describe('the reservation', () => {
  it('holds all input (a token for each byte, not the estimate) and all output that there can be', async () => {
    const { answer, store } = await reserved({ maxCostUsd: 0.09, maxTokens: 18_000 });
    expect(answer).toEqual({ kind: 'reserved', maxOutputTokens: 8000 });
    expect(store.reservations.get('k')).toMatchObject({ tokens: 18_000, usd: 0.09 });
  });

  it('takes as much output as the tokens leave room for', async () => {
    const { answer, store } = await reserved({ maxTokens: 20_000 }, { inputTokens: 9000 });
    expect(answer).toEqual({ kind: 'reserved', maxOutputTokens: 1000 });
    expect(store.reservations.get('k')?.tokens).toBe(11_000);
  });

  it('takes as much output as the dollars leave room for', async () => {
    const { answer, store } = await reserved({ maxCostUsd: 0.03 });
    expect(answer).toEqual({ kind: 'reserved', maxOutputTokens: 1999 });
    expect(store.reservations.get('k')?.usd).toBeLessThanOrEqual(0.03);
  });

  it.each<[Partial<BudgetCaps>, 'max-tokens' | 'max-cost']>([
    [{ maxTokens: 10_255 }, 'max-tokens'],
    [{ maxTokens: 5000 }, 'max-tokens'],
    [{ maxCostUsd: 0.012 }, 'max-cost'],
    [{ maxCostUsd: 0.001 }, 'max-cost'],
    [{ maxCostUsd: 0.012, maxTokens: 11_000 }, 'max-cost'],
  ])('is refused when less than 256 tokens of output fit: %j', async (caps, budget) => {
    const { answer, store } = await reserved(caps);
    expect(answer).toEqual({ kind: 'budget-exceeded', budget });
    expect(store.reservations.size).toBe(0);
  });

  it('of another call counts', async () => {
    const store = createFakeModelStore({ caps: { maxTokens: 30_000 } });
    await reserve(call, { store, input, key: 'other', signal });
    expect(await reserve(call, { store, input, key: 'k', signal })).toEqual({
      kind: 'reserved',
      maxOutputTokens: 2000,
    });
    // What others hold may come back: the third waits for it.
    const third = reserve(call, { store, input, key: 'third', signal });
    await store.releaseModelCall('other');
    expect(await third).toMatchObject({ kind: 'reserved' });
  });

  it('that waits for others ends with the signal', async () => {
    const store = createFakeModelStore({ caps: { maxTokens: 18_000 } });
    await reserve(call, { store, input, key: 'other', signal });
    const cancelled = new AbortController();
    const waiting = reserve(call, { store, input, key: 'k', signal: cancelled.signal });
    cancelled.abort();
    await expect(waiting).rejects.toThrow();
    expect(store.reservations.has('k')).toBe(false);
  });

  it('is refused at once when no model call is left, whatever others hold', async () => {
    const store = createFakeModelStore({ caps: { maxTotalSteps: 1 } });
    await reserve(call, { store, input, key: 'other', signal });
    const refused = { kind: 'budget-exceeded', budget: 'max-total-steps' };
    expect(await reserve(call, { store, input, key: 'k', signal })).toEqual(refused);
  });

  it('that an earlier try got too little of limits the later ones', async () => {
    const store = createFakeModelStore({ caps: { maxTokens: 30_000 } });
    await reserve(call, { store, input, key: 'other', signal });
    const limited = { kind: 'reserved', maxOutputTokens: 2000 };
    expect(await reserve(call, { store, input, key: 'k', signal })).toEqual(limited);
    await store.releaseModelCall('other');
    expect(await reserve(call, { store, input, key: 'k', signal })).toEqual(limited);
  });

  it('of another model is made anew', async () => {
    const store = createFakeModelStore({ caps: { maxTokens: 18_000 } });
    await reserve(call, { store, input, key: 'k', signal });
    await reserve({ ...call, mostInputTokens: 5000 }, { store, input: { ...input, model: 'x/y' }, key: 'k', signal });
    expect([...store.reservations.values()]).toMatchObject([{ model: 'x/y', tokens: 13_000 }]);
  });

  it('of the same call is not made twice', async () => {
    const { store } = await reserved({ maxTokens: 18_000 });
    expect((await reserve(call, { store, input, key: 'k', signal })).kind).toBe('reserved');
    expect(store.reservations.size).toBe(1);
  });
});
