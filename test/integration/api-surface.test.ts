import { fastify } from 'fastify';
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authenticateLocal, requirePermissions } from '../../services/api/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { listenOnSocket } from '../../services/api/socket.ts';
import { createClient } from '../../services/client/client.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';

let store: PostgresStore;
let api: TestApi;

withTestStore((opened) => {
  store = opened;
});

beforeAll(async () => {
  api = await startApi(store);
});

afterAll(async () => {
  await api.close();
});

test('health answers without anything else being there', async () => {
  expect(await api.client.health()).toEqual({ status: 'ok', version: '1.2.3', apiVersion: 1, pid: process.pid });
});

test('ready names what is missing', async () => {
  const before = await api.app.inject({ url: '/ready' });
  expect(before.statusCode).toBe(503);
  expect(before.json()).toEqual({ ready: false, database: true, engine: true, worker: false });
  await store.seeHost({ hostId: 'h1', name: 'tiger', pid: 7, version: '1', slots: 8, slotsUsed: 2 });
  expect(await api.client.ready()).toEqual({ ready: true, database: true, engine: true, worker: true });
  api.engine.mode = 'down';
  expect(await api.client.ready()).toEqual({ ready: false, database: true, engine: false, worker: true });
  api.engine.mode = 'up';
});

test('hosts tell whether they were seen lately', async () => {
  await store.seeHost({ hostId: 'h1', name: 'tiger', pid: 7, version: '1', slots: 8, slotsUsed: 2 });
  const { hosts } = await api.client.hosts();
  expect(hosts).toMatchObject([
    { hostId: 'h1', name: 'tiger', pid: 7, version: '1', slots: 8, slotsUsed: 2, leases: 0, alive: true },
  ]);
});

test('a request waits for the database to be prepared', async () => {
  const preparing = Promise.withResolvers<void>();
  const waiting = await startApi(store, { prepared: preparing.promise });
  expect((await waiting.client.health()).status).toBe('ok');
  expect(await waiting.client.ready()).toMatchObject({ ready: false, database: false });
  const runs = waiting.client.listRuns();
  setTimeout(preparing.resolve, 100);
  expect(await runs).toEqual({ runs: [], nextCursor: null });
  await waiting.close();
});

test.each([
  [{}, ['kind: ', 'prdPath: ', 'model: ']],
  [{ kind: 'ralph', prdPath: '/p', model: 'm', maxConcurrent: 65 }, ['maxConcurrent: ']],
  [
    { kind: 'ralph', prdPath: '/p', model: 'm', maxCostUsd: -1, maxIterations: 1.5 },
    ['maxIterations: ', 'maxCostUsd: '],
  ],
  [{ kind: 'ralph', prdPath: '/p', model: 'm', surprise: 1 }, ['body: Unrecognized key: "surprise"']],
])('a request with wrong fields is refused by name: %j', async (payload, expected) => {
  const response = await api.app.inject({ method: 'POST', url: '/v1/runs', payload });
  expect(response.statusCode).toBe(422);
  const { code, problems } = response.json<{ code: string; problems: string[] }>();
  expect(code).toBe('request-invalid');
  expect(problems.length).toBe(expected.length);
  for (const [index, start] of expected.entries()) expect(problems[index]).toContain(start);
});

test('what is no JSON, no known path, or a wrong query is a problem, not a crash', async () => {
  const broken = await api.app.inject({
    method: 'POST',
    url: '/v1/runs',
    headers: { 'content-type': 'application/json' },
    payload: '{',
  });
  expect(broken.json()).toMatchObject({ code: 'request-invalid', status: 422 });
  const missing = await api.app.inject({ url: '/v2/x?y=1' });
  expect(missing.statusCode).toBe(404);
  expect(missing.headers['content-type']).toContain('application/problem+json');
  expect(missing.json()).toMatchObject({ code: 'not-found', title: 'there is no GET /v2/x' });
  for (const [method, path, allow] of [
    ['DELETE', '/v1/runs', 'GET, HEAD, POST'],
    ['QUERY', '/v1/runs/x', 'GET, HEAD'],
    ['GET', '/v1/sessions/x/interrupt', 'POST'],
  ] as const) {
    const other = await api.app.inject({ method, url: `${path}?y=1` });
    expect([other.statusCode, other.headers['allow'], other.json<object>()]).toEqual([
      405,
      allow,
      expect.objectContaining({ code: 'method-not-allowed', status: 405 }),
    ]);
  }
  const query = await api.app.inject({ url: '/v1/runs?limit=none' });
  expect(query.json()).toMatchObject({ code: 'request-invalid' });
});

test('a failure of ours is internal, without a stack', async () => {
  const failing = await createApp({
    ...apiDeps(store),
    store: { ...store, listRuns: async () => await Promise.reject(new TypeError('secret detail')) },
  });
  const response = await failing.inject({ url: '/v1/runs' });
  expect(response.statusCode).toBe(500);
  expect(response.json()).toMatchObject({ code: 'internal', status: 500 });
  expect(response.body).not.toContain('api-surface.test');
  await failing.close();
});

test('a route without a permission is a start-up error', async () => {
  const app = fastify();
  requirePermissions(app, { authenticate: authenticateLocal, appendAudit: async () => undefined });
  expect(() => app.get('/v1/open', () => 'x')).toThrow('the route GET /v1/open declares no permission');
  await app.close();
});

test('a principal gets only what it may', async () => {
  const limited = await startApi(store, {
    authenticate: async () => ({
      id: 'reader',
      tenant: 'default',
      permissions: new Set(['runs:read'] as const),
      isLocal: true,
    }),
  });
  expect((await limited.client.listRuns()).runs).toEqual([]);
  await expect(limited.client.hosts()).rejects.toMatchObject({
    code: 'permission-denied',
    message: 'reader may not do that: it needs hosts:read',
  });
  await expect(limited.client.startRun({ kind: 'ralph', prdPath: '/p', model: 'm' })).rejects.toMatchObject({
    code: 'permission-denied',
  });
  await limited.close();
});

test('the socket is its owner’s alone, replaces a dead one, and never a living one or another file', async () => {
  expect((await stat(api.socketPath)).mode & 0o777).toBe(0o600);
  const second = fastify();
  await expect(listenOnSocket(second, api.socketPath)).rejects.toMatchObject({ code: 'port-taken' });
  expect((await api.client.health()).status).toBe('ok');

  const folder = await mkdtemp(join(tmpdir(), 'codetether-socket-'));
  const stale = join(folder, 'stale.sock');
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(join(folder, 'dead.sock'), resolve));
  // A server removes its own file when it closes, but does not find this one any more.
  await rename(join(folder, 'dead.sock'), stale);
  await new Promise((resolve) => dead.close(resolve));
  await listenOnSocket(second, stale);
  expect(
    (await createClient({ socketPath: stale })
      .health()
      .catch((error: unknown) => error)) as object,
  ).toMatchObject({
    code: 'internal',
  });
  await second.close();

  const third = fastify();
  const file = join(folder, 'file');
  await writeFile(file, 'precious');
  await expect(listenOnSocket(third, file)).rejects.toMatchObject({ code: 'config-invalid' });
  expect(await readFile(file, 'utf8')).toBe('precious');
  await rm(folder, { recursive: true, force: true });
  await third.close();
});

test('nobody at the socket is api-unreachable', async () => {
  const client = createClient({ socketPath: '/tmp/codetether-nobody.sock' });
  await expect(client.health()).rejects.toMatchObject({ code: 'api-unreachable', entry: { exit: 75 } });
});
