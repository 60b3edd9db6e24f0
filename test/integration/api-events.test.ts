import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { RunEvent } from '../../domain/run/events.ts';
import { inProcess } from '../../services/api/in-process.ts';
import { createClient } from '../../services/client/client.ts';
import type { Client } from '../../services/client/client.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase, ownPostgres } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan, warning } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let api: TestApi;
let count = 0;
/** What streams hold and do. */
const use = { watchers: 0, pages: 0 };

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  api = await startApi({
    ...store,
    watchRunEvents: async (onAppend) => {
      use.watchers++;
      const leave = await store.watchRunEvents(onAppend);
      return async () => {
        use.watchers--;
        await leave();
      };
    },
    readRunEvents: async (runId, options) => {
      use.pages++;
      return await store.readRunEvents(runId, options);
    },
  });
});

afterEach(async () => {
  await api.close();
  expect(use.watchers).toBe(0);
});

async function running(target: PostgresStore = store): Promise<string> {
  const runId = `ralph:stream:run-${++count}`;
  const execution = await target.openRun(plan({ runId }));
  api.engine.runs.set(runId, { kind: 'running', execution });
  await target.record({ runId, events: [], run: { status: 'running' } });
  return runId;
}

async function end(runId: string, execution = 1): Promise<void> {
  const ending = { outcome: 'completed', message: '', tip: null, commits: 0, durationMs: 0 } as const;
  await store.finishRun({ runId, execution, ...ending });
}

async function open(
  runId: string,
  options: { readonly headers?: Record<string, string>; readonly query?: string } = {},
): Promise<IncomingMessage> {
  const path = `/v1/runs/${encodeURIComponent(runId)}/events${options.query ?? ''}`;
  return await new Promise((resolve, reject) => {
    request({ socketPath: api.socketPath, path, headers: options.headers ?? {}, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
}

async function text(response: IncomingMessage): Promise<string> {
  let all = '';
  response.setEncoding('utf8');
  for await (const chunk of response) all += chunk;
  return all;
}

function collect(client: Client, runId: string, options: Parameters<Client['events']>[1] = {}) {
  const events: RunEvent[] = [];
  const done = (async () => {
    for await (const event of client.events(runId, options)) events.push(event);
  })();
  return { events, done };
}

test('a stream gives the log, then what comes, and ends with the run', async () => {
  const runId = await running();
  await store.appendRunEvents(runId, [
    { key: 'a', kind: 'warning', storyId: 'US-1', attempt: 2, body: { message: 'ä' } },
  ]);
  const response = await open(runId);
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const all = text(response);
  await store.appendRunEvents(runId, [warning('b')]);
  await end(runId);
  const [opening, first, second, last, rest] = (await all).split('\n\n');
  expect(opening).toBe('retry: 500');
  const at = /"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(first ?? '')?.[1];
  expect(first).toBe(
    `id: 1\nevent: warning\ndata: {"schemaVersion":1,"runId":"${runId}","seq":1,"at":"${at}","storyId":"US-1","attempt":2,"kind":"warning","body":{"message":"ä"}}`,
  );
  expect(second).toContain('id: 2\nevent: warning\n');
  expect(last).toContain('id: 3\nevent: run-ended\n');
  expect(rest).toBe('');
});

test('a stream goes on where the reader was: Last-Event-ID before since-seq', async () => {
  const runId = await running();
  await store.appendRunEvents(runId, [warning('a'), warning('b'), warning('c')]);
  await end(runId);
  const ids = async (options: Parameters<typeof open>[1]) =>
    (await text(await open(runId, options))).match(/(?<=^id: )\d+/gm);
  expect(await ids({ query: '?since-seq=1' })).toEqual(['2', '3', '4']);
  expect(await ids({ query: '?since-seq=1', headers: { 'last-event-id': '3' } })).toEqual(['4']);
  expect((await open(runId, { query: '?since-seq=4' })).statusCode).toBe(204);
  const wrong = await open(runId, { headers: { 'last-event-id': 'x' } });
  expect(wrong.statusCode).toBe(422);
  expect(JSON.parse(await text(wrong))).toMatchObject({ code: 'request-invalid' });
  expect((await open('nobody')).statusCode).toBe(404);
});

test('the end of an older execution is not the end', async () => {
  const runId = await running();
  await end(runId);
  const execution = await store.openRun(plan({ runId }));
  api.engine.runs.set(runId, { kind: 'running', execution });
  const all = text(await open(runId));
  await delay(100);
  await store.appendRunEvents(runId, [warning('second')]);
  await end(runId, 2);
  expect((await all).match(/(?<=^event: ).+/gm)).toEqual(['run-ended', 'warning', 'run-ended']);
});

test('lines are given to who asks for lines', async () => {
  const runId = await running();
  await store.appendRunEvents(runId, [warning('a\nb'), warning('c')]);
  await end(runId);
  const response = await open(runId, { headers: { accept: 'application/x-ndjson' } });
  expect(response.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
  const lines = (await text(response)).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { schemaVersion: 1, seq: 1, body: { message: 'a\nb' } },
    { seq: 2 },
    { seq: 3, kind: 'run-ended' },
  ]);
  const nothing = await open(runId, { headers: { accept: 'application/x-ndjson' }, query: '?since-seq=3' });
  expect([nothing.statusCode, await text(nothing)]).toEqual([200, '']);
});

test('a quiet stream says that it is there, and finds out that the engine ended the run', async () => {
  await api.close();
  api = await startApi(store, { pingMs: 50 });
  const runId = await running();
  let said = '';
  const response = (await open(runId)).setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  await expect.poll(() => said.split(': ping\n\n').length).toBeGreaterThan(2);
  api.engine.end(runId, 'terminated');
  await once(response, 'end');
  expect(said).toContain('event: run-ended\n');
});

test('a reader that leaves frees everything at once', async () => {
  const runId = await running();
  const responses = await Promise.all([open(runId), open(runId)]);
  await expect.poll(() => use.watchers).toBe(2);
  for (const response of responses) response.destroy();
  await expect.poll(() => use.watchers).toBe(0);
});

test('a reader that does not read holds up only itself', async () => {
  const runId = await running();
  const long = 'x'.repeat(10_000);
  for (let page = 0; page < 15; page++) {
    await store.appendRunEvents(
      runId,
      Array.from({ length: 200 }, (_, index) => warning(`${page}:${index}`, long)),
    );
  }
  await end(runId);
  const before = use.pages;
  const slow = await open(runId);
  slow.pause();
  await delay(700);
  expect(use.pages - before).toBeLessThan(8);
  expect((await text(await open(runId, { query: '?since-seq=2990' }))).match(/^id: /gm)?.length).toBe(11);
  expect((await text(slow)).match(/^id: /gm)?.length).toBe(3001);
});

test('the client gets each event once, over a restart of the API', async () => {
  const runId = await running();
  await store.appendRunEvents(runId, [warning('a')]);
  const connection: boolean[] = [];
  const { events, done } = collect(api.client, runId, { onConnection: (connected) => connection.push(connected) });
  await expect.poll(() => events.length).toBe(1);
  await api.restart();
  await store.appendRunEvents(runId, [warning('b')]);
  await expect.poll(() => events.length).toBe(2);
  await api.app.close();
  await expect.poll(() => connection.at(-1)).toBe(false);
  await store.appendRunEvents(runId, [warning('c'), warning('d')]);
  await api.restart();
  await expect.poll(() => events.length).toBe(4);
  await end(runId);
  await done;
  expect(events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
  expect(connection.at(-1)).toBe(true);
  expect(connection.filter((connected, index) => connected === connection[index - 1])).toEqual([]);
});

test('the client ends quietly when its signal is raised, and at once when there is nothing to come', async () => {
  const runId = await running();
  const leaving = new AbortController();
  const { events, done } = collect(api.client, runId, { signal: leaving.signal });
  await expect.poll(() => use.watchers).toBe(1);
  leaving.abort();
  await done;
  expect(events).toEqual([]);
  await end(runId);
  await collect(api.client, runId, { sinceSeq: 1 }).done;
});

test('the client ends quietly when its signal is raised while its own process is being asked', async () => {
  const runId = await running();
  const { handle } = inProcess(api.app, {});
  const leaving = new AbortController();
  const client = createClient({
    handle: async (asked) => {
      const answer = await handle(asked);
      leaving.abort();
      return answer;
    },
  });
  const { events, done } = collect(client, runId, { signal: leaving.signal });
  await done;
  expect(events).toEqual([]);
  await expect.poll(() => use.watchers).toBe(0);
});

test('the client throws what trying again cannot mend', async () => {
  await expect(collect(api.client, 'nobody').done).rejects.toMatchObject({ code: 'not-found' });
});

test('a reader that breaks off lets go of its stream', async () => {
  const runId = await running();
  await store.appendRunEvents(runId, [warning('a')]);
  for await (const event of api.client.events(runId)) {
    expect(event.seq).toBe(1);
    break;
  }
  await expect.poll(() => use.watchers).toBe(0);
});

test('a stream outlives a restart of the database', async () => {
  const server = await ownPostgres();
  onTestFinished(async () => await server.remove());
  const own = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
  onTestFinished(async () => await own.close());
  await own.prepare();
  await api.close();
  api = await startApi(own);
  const runId = await running(own);
  await own.appendRunEvents(runId, [warning('a')]);
  const connection: boolean[] = [];
  const { events, done } = collect(api.client, runId, { onConnection: (connected) => connection.push(connected) });
  await expect.poll(() => events.length).toBe(1);
  await server.kill();
  await expect(api.client.getRun(runId)).rejects.toMatchObject({ code: 'database-unreachable' });
  await delay(500);
  await server.start();
  await own.appendRunEvents(runId, [warning('b')]);
  await expect.poll(() => events.length, { timeout: 10_000 }).toBe(2);
  await own.finishRun({ runId, execution: 1, outcome: 'completed', message: '', tip: null, commits: 0, durationMs: 0 });
  await done;
  expect(events.map((event) => event.seq)).toEqual([1, 2, 3]);
  expect(connection).toEqual([]);
});
