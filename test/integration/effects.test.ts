import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { beginOnce, ledgered } from '../../activities/effects/ledger.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let runId: string;
let count = 0;

withTestStore((opened) => {
  store = opened;
});
beforeEach(async () => {
  runId = `ralph:effects-${++count}:x`;
  await store.openRun(plan({ runId }));
});

const effect = () => ({ key: `${runId}:US-1:1:commit`, runId, storyId: 'US-1', kind: 'commit' }) as const;

describe('the effect ledger', () => {
  test('knows an effect before it runs, and freezes its first outcome', async () => {
    const { key } = effect();
    expect(await store.beginEffect(effect())).toEqual({ kind: 'begun' });
    expect(await store.beginEffect(effect())).toEqual({ kind: 'unknown' });
    await store.settleEffect(key, { state: 'done', outcome: { commit: 'c1' } });
    await store.settleEffect(key, { state: 'done', outcome: { commit: 'c2' } });
    await store.settleEffect(key, { state: 'interrupted' });
    expect(await store.beginEffect(effect())).toEqual({ kind: 'done', outcome: { commit: 'c1' } });
    expect(await store.listEffects(runId)).toMatchObject([
      { ...effect(), state: 'done', tries: 1, outcome: { commit: 'c1' }, settledAt: expect.any(Date) },
    ]);
  });

  test('counts the beginnings of one that was interrupted', async () => {
    await store.beginEffect(effect());
    await store.settleEffect(effect().key, { state: 'interrupted' });
    expect(await store.beginEffect(effect())).toEqual({ kind: 'begun' });
    expect(await store.listEffects(runId)).toMatchObject([{ state: 'sent', tries: 2, settledAt: null }]);
  });

  test('lets exactly one of eight begin', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, async () => await store.beginEffect(effect())));
    expect(all.filter(({ kind }) => kind === 'begun')).toHaveLength(1);
  });
});

describe('an effect that looks whether it has happened', () => {
  const frozen = z.object({ kind: z.literal('committed'), commit: z.string() });
  const commitWith = (run: () => Promise<{ kind: 'committed'; commit: string } | { kind: 'moved' }>) =>
    ledgered(store, { kind: 'commit', identify: () => effect(), frozen }, run);

  test('does not run again once its outcome is frozen', async () => {
    const first = commitWith(async () => ({ kind: 'committed', commit: 'c1' }));
    expect(await first({})).toEqual({ kind: 'committed', commit: 'c1' });
    const second = commitWith(() => Promise.reject(new Error('it ran again')));
    expect(await second({})).toEqual({ kind: 'committed', commit: 'c1' });
  });

  test('runs again when whoever ran it died, and when it came to nothing', async () => {
    await expect(commitWith(() => Promise.reject(new Error('killed')))({})).rejects.toThrow('killed');
    expect(await commitWith(async () => ({ kind: 'moved' }))({})).toEqual({ kind: 'moved' });
    const third = commitWith(async () => ({ kind: 'committed', commit: 'c1' }));
    expect(await third({})).toEqual({ kind: 'committed', commit: 'c1' });
  });
});

test('an effect that cannot be looked up is not begun a second time before it was settled', async () => {
  const call = { ...effect(), kind: 'tool-call' } as const;
  await beginOnce(store, call);
  await expect(beginOnce(store, call)).rejects.toMatchObject({ code: 'outcome-unknown' });
  await store.settleEffect(call.key, { state: 'interrupted' });
  await beginOnce(store, call);
});
