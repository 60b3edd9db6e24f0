import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { asCodetetherError } from '../../domain/errors.ts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { ownPostgres } from '../support/postgres.ts';
import type { OwnPostgres } from '../support/postgres.ts';
import { plan, warning } from './store-fixtures.ts';

let server: OwnPostgres;
let store: PostgresStore;
let runId: string;

beforeAll(async () => {
  server = await ownPostgres();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(async () => {
  store = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
  await store.prepare();
  runId = `ralph:restart:${randomUUID()}`;
  await store.openRun(plan({ runId }));
});

afterEach(async () => {
  await store.close();
});

test.each(['stop', 'kill'] as const)(
  'a watch goes on after the database was ended by %s and started again',
  async (end) => {
    const heard: (string | null)[] = [];
    const leave = await store.watchRunEvents((id) => heard.push(id));
    await expect.poll(() => heard).toEqual([null]);
    await store.appendRunEvents(runId, [warning('before')]);
    await expect.poll(() => heard).toEqual([null, runId]);

    await server[end]();
    // Sessions of a killed server may answer for a moment longer.
    const asked = () => store.getRun(runId).then(() => 'answered', asCodetetherError);
    await expect.poll(asked).toMatchObject({ code: 'database-unreachable', entry: { retryable: true } });
    await expect(store.appendRunEvents(runId, [warning('lost')])).rejects.toMatchObject({
      code: 'database-unreachable',
    });
    await expect(store.ping()).rejects.toMatchObject({ code: 'database-unreachable' });
    await delay(300);
    await server.start();

    await expect.poll(() => heard, { timeout: 10_000 }).toEqual([null, runId, null]);
    await store.appendRunEvents(runId, [warning('after')]);
    await expect.poll(() => heard).toEqual([null, runId, null, runId]);
    const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 9 });
    expect(events.map((event) => [event.seq, event.body])).toEqual([
      [1, { message: 'before' }],
      [2, { message: 'after' }],
    ]);
    await leave();
  },
);

test('a store waits for a database that comes later', async () => {
  await server.stop();
  const late = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
  await expect(late.prepare({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'database-unreachable' });
  const prepared = late.prepare({ timeoutMs: 30_000 });
  await server.start();
  await prepared;
  expect((await late.getRun(runId))?.runId).toBe(runId);
  await late.close();
});

test('work in flight while the database is killed fails as unreachable or is there afterwards, never half', async () => {
  const appends = Promise.allSettled(
    Array.from({ length: 40 }, async (_, index) => {
      await delay(index);
      await store.record({
        runId,
        events: [warning(`event:${index}`)],
        story: { storyId: 'US-1', addDurationMs: 1 },
      });
    }),
  );
  await delay(15);
  await server.kill();
  const results = await appends;
  const failures = results.filter((result) => result.status === 'rejected');
  expect(failures.length).toBeGreaterThan(0);
  for (const failure of failures) expect(failure.reason).toMatchObject({ code: 'database-unreachable' });
  await server.start();
  const { headSeq } = (await store.getRun(runId)) ?? { headSeq: -1 };
  expect(headSeq).toBeGreaterThanOrEqual(results.length - failures.length);
  expect((await store.readRunEvents(runId, { afterSeq: 0, limit: 99 })).length).toBe(headSeq);
  expect((await store.getStory(runId, 'US-1'))?.durationMs).toBe(headSeq);
});
