import { expect, test } from 'vitest';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { plan, warning } from './store-fixtures.ts';

let store: PostgresStore;
let database: TestDatabase;

withTestStore((opened, own) => {
  [store, database] = [opened, own];
});

async function openedRun(name: string): Promise<string> {
  const runId = `ralph:events:${name}`;
  await store.openRun(plan({ runId }));
  return runId;
}

test('twenty concurrent appenders leave no gap and no double, and each keeps its own order', async () => {
  const runId = await openedRun('concurrent');
  const appenders = Array.from({ length: 20 }, (_, index) => index);
  await Promise.all(
    appenders.map(async (appender) => {
      for (let number = 0; number < 10; number++) {
        await store.appendRunEvents(runId, [
          warning(`${appender}:${number}:a`, `${appender}`),
          warning(`${appender}:${number}:b`, `${appender}`),
          warning(`shared:${number}`, 'shared'),
        ]);
      }
    }),
  );
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 1000 });
  expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 410 }, (_, index) => index + 1));
  expect((await store.getRun(runId))?.headSeq).toBe(410);
  const times = events.map((event) => event.at);
  expect(times).toEqual(times.toSorted());
});

test('a reader that polls during appends never sees a later event before an earlier one', async () => {
  const runId = await openedRun('order');
  const reader = (async () => {
    const seen: number[] = [];
    while (seen.length < 100) {
      const page = await store.readRunEvents(runId, { afterSeq: seen.at(-1) ?? 0, limit: 7 });
      seen.push(...page.map((event) => event.seq));
    }
    return seen;
  })();
  await Promise.all(
    Array.from({ length: 5 }, async (_, appender) => {
      for (let number = 0; number < 20; number++)
        await store.appendRunEvents(runId, [warning(`${appender}:${number}`)]);
    }),
  );
  expect(await reader).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
});

test('a key that is there is skipped, also within one append, and the rest is appended', async () => {
  const runId = await openedRun('keys');
  await store.appendRunEvents(runId, [warning('a'), warning('a', 'again'), warning('b')]);
  await store.appendRunEvents(runId, [warning('b', 'again'), warning('c')]);
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 10 });
  expect(events).toMatchObject([
    { seq: 1, kind: 'warning', storyId: null, attempt: null, body: { message: 'a' } },
    { seq: 2, body: { message: 'b' } },
    { seq: 3, body: { message: 'c' } },
  ]);
});

test('only events of the kinds asked for are read', async () => {
  const runId = await openedRun('kinds');
  await store.appendRunEvents(runId, [warning('a'), { key: 'p', kind: 'run-paused', body: {} }, warning('b')]);
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 10, kinds: ['run-paused'] });
  expect(events.map((event) => event.seq)).toEqual([2]);
});

test('events come back as they were written, whatever is in their texts', async () => {
  const runId = await openedRun('texts');
  const message = 'é "quoted" \\u0000 line\nline \u2028 😀';
  await store.appendRunEvents(runId, [
    { key: '1', kind: 'warning', storyId: 'US-1', attempt: 2, body: { message } },
    warning('nul', 'a\u0000b'),
    warning('surrogate', '😀'.slice(0, 1)),
  ]);
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 10 });
  expect(events).toMatchObject([
    { storyId: 'US-1', attempt: 2, body: { message } },
    { body: { message: 'a\uFFFDb' } },
    { body: { message: '\uFFFD' } },
  ]);
});

test('appending to a run that is not there says not-found', async () => {
  await expect(store.appendRunEvents('ralph:none:none', [warning('a')])).rejects.toMatchObject({ code: 'not-found' });
});

test('watchers of one run hear of it, share one connection, and hear nothing after they left', async () => {
  const runId = await openedRun('watch');
  const heard: (string | null)[] = [];
  const alsoHeard: (string | null)[] = [];
  const leave = await store.watchRunEvents((id) => heard.push(id));
  const leaveToo = await store.watchRunEvents((id) => alsoHeard.push(id));
  await expect.poll(() => heard).toContain(null);
  await store.appendRunEvents(runId, [warning('a')]);
  await expect.poll(() => heard).toContain(runId);
  expect(alsoHeard).toContain(runId);
  await leave();
  const before = heard.length;
  await store.appendRunEvents(runId, [warning('b')]);
  await expect.poll(() => alsoHeard.filter((id) => id === runId).length).toBe(2);
  expect(heard.length).toBe(before);
  await leaveToo();
});

test('an append that changes nothing wakes nobody', async () => {
  const runId = await openedRun('quiet');
  await store.appendRunEvents(runId, [warning('a')]);
  const heard: (string | null)[] = [];
  // One that has listened to nothing yet says when it does.
  const listening = createStore({ databaseUrl: database.url });
  const leave = await listening.watchRunEvents((id) => heard.push(id));
  await expect.poll(() => heard).toEqual([null]);
  await store.appendRunEvents(runId, [warning('a')]);
  await store.appendRunEvents(runId, [warning('b')]);
  await expect.poll(() => heard.length).toBeGreaterThan(1);
  expect(heard).toEqual([null, runId]);
  await leave();
  await listening.close();
});

test('a transcript keeps its order, skips keys that are there and comes back unchanged', async () => {
  const id = 'ralph:events:session:US-1:1';
  await store.appendSessionEvents(id, [
    { key: 'system', kind: 'system', body: { text: 'be good' } },
    { key: 'user', kind: 'user', body: { text: 'do it' } },
  ]);
  const assistant = {
    text: '',
    toolCalls: [{ id: 'call-1', name: 'write', args: { path: 'a.txt', nested: { list: [1, null, 'x'] } } }],
    providerOptions: { anthropic: { signature: 'abc==' } },
  };
  await Promise.all([
    store.appendSessionEvents(id, [{ key: '1', kind: 'assistant', body: assistant }]),
    store.appendSessionEvents(id, [{ key: '1', kind: 'assistant', body: assistant }]),
  ]);
  await store.appendSessionEvents(id, [
    { key: 'user', kind: 'user', body: { text: 'other' } },
    { key: '1:call-1', kind: 'tool-result', body: { callId: 'call-1', tool: 'write', ok: true, output: 'done\u0000' } },
  ]);
  expect(await store.readSession(id)).toEqual([
    { seq: 1, kind: 'system', body: { text: 'be good' } },
    { seq: 2, kind: 'user', body: { text: 'do it' } },
    { seq: 3, kind: 'assistant', body: assistant },
    { seq: 4, kind: 'tool-result', body: { callId: 'call-1', tool: 'write', ok: true, output: 'done\uFFFD' } },
  ]);
  expect(await store.hasSessionEvent(id, '1:call-1')).toBe(true);
  expect(await store.hasSessionEvent(id, '2')).toBe(false);
  expect(await store.readSession('none')).toEqual([]);
  expect((await store.readSession(id, { last: 2 })).map((row) => row.seq)).toEqual([3, 4]);
});
