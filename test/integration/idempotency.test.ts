import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import { openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, fakeEngine } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let folder: string;
const engine = fakeEngine();
let first: Awaited<ReturnType<typeof createApp>>;
let second: typeof first;
let holding: Promise<void> | undefined;
let checks = 0;

withTestStore(
  (opened, own) => {
    [store, database] = [opened, own];
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-once-')));
  const app = async () =>
    await createApp({
      ...apiDeps(store),
      engine,
      preflight: async () => {
        checks++;
        await holding;
        return { plan: plan(), warnings: [] };
      },
      // `tenant/name`, as the test gives it; folders are not what this is about.
      authenticate: async ({ headers }) => {
        const [tenant = '', id = ''] = String(headers['x-api-key'] ?? 'default/key:a').split('/');
        return { id, tenant, permissions: new Set(permissions), isLocal: true };
      },
    });
  [first, second] = await Promise.all([app(), app()]);
});
afterAll(async () => {
  await Promise.all([first.close(), second.close()]);
  await rm(folder, { recursive: true, force: true });
});

async function post(app: typeof first, url: string, key: string, payload: object, who = 'default/key:a') {
  const headers = { 'idempotency-key': key, 'x-api-key': who };
  return await app.inject({ method: 'POST', url, headers, payload });
}
const session = () => ({ folder, text: 'look', model: 'openai/x' });

test('a session that is asked for twice with a key, at two processes, is one, with one message and one answer', async () => {
  const one = await post(first, '/v1/sessions', 'session-1', session());
  const again = await post(second, '/v1/sessions', 'session-1', session());
  expect([one.statusCode, again.statusCode]).toEqual([201, 201]);
  expect(again.body).toBe(one.body);
  expect(again.headers['content-type']).toBe(one.headers['content-type']);
  expect([one.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
  expect(engine.sent).toHaveLength(1);
  const other = await post(second, '/v1/sessions', 'session-2', session());
  expect(other.json<{ session: { sessionId: string } }>().session.sessionId).not.toBe(
    one.json<{ session: { sessionId: string } }>().session.sessionId,
  );
});

test('a key stands for one request of one principal of one tenant', async () => {
  const fork = await post(first, '/v1/sessions', 'mine', session());
  expect(fork.statusCode).toBe(201);
  const changed = await post(first, '/v1/sessions', 'mine', { ...session(), text: 'another' });
  expect([changed.statusCode, changed.json()]).toMatchObject([409, { code: 'idempotency-key-reused' }]);
  for (const who of ['default/key:b', 'acme/key:a']) {
    const others = await post(first, '/v1/sessions', 'mine', session(), who);
    expect([others.statusCode, others.headers['idempotency-replayed']]).toEqual([201, undefined]);
  }
  const bad = await post(first, '/v1/sessions', 'not visible', session());
  expect([bad.statusCode, bad.json()]).toMatchObject([422, { code: 'request-invalid' }]);
});

test('a failure that stays one is the answer again; one that passes is done again', async () => {
  const gone = await post(first, '/v1/sessions/nowhere/messages', 'm', { text: 'hello' });
  const again = await post(first, '/v1/sessions/nowhere/messages', 'm', { text: 'hello' });
  expect([gone.statusCode, again.statusCode, again.headers['idempotency-replayed']]).toEqual([404, 404, 'true']);
  expect(again.headers['content-type']).toBe('application/problem+json');
  expect(again.json()).toEqual(gone.json());
  engine.mode = 'down';
  const down = await post(first, '/v1/sessions', 'later', session());
  engine.mode = 'up';
  const up = await post(second, '/v1/sessions', 'later', session());
  expect([down.statusCode, up.statusCode]).toEqual([503, 201]);
  expect(up.headers['idempotency-replayed']).toBeUndefined();
});

test('of two at once one is done, and the other told to come again', async () => {
  const release = Promise.withResolvers<void>();
  holding = release.promise;
  const before = checks;
  const body = { kind: 'ralph', prdPath: '/prd.json', model: 'openai/x' };
  const one = post(first, '/v1/runs', 'twins', body);
  await expect.poll(() => checks).toBe(before + 1);
  const twin = await post(second, '/v1/runs', 'twins', body);
  expect([twin.statusCode, twin.json()]).toMatchObject([409, { code: 'request-under-way' }]);
  expect(twin.headers['retry-after']).toBe('1');
  release.resolve();
  expect((await one).statusCode).toBe(201);
  const after = await post(second, '/v1/runs', 'twins', body);
  expect([after.statusCode, after.json<{ kind: string }>().kind]).toEqual([201, 'started']);
  expect(checks).toBe(before + 1);
});

test('what a process was doing when it died is done again under the same id, and makes one session', async () => {
  // As a process leaves it that dies after all is done, before the answer: the answer is not there.
  const sent = engine.sent.length;
  const one = await post(first, '/v1/sessions', 'dies', session());
  const rows = openDatabase({ databaseUrl: database.url, tenant: 'default' });
  const lose = async (heldForMs: number) =>
    await rows
      .updateTable('idempotent_request')
      .set({ status: null, content_type: null, answer: null, held_until: new Date(Date.now() + heldForMs) })
      .where('key', '=', 'dies')
      .executeTakeFirst();
  await lose(60_000);
  expect((await post(second, '/v1/sessions', 'dies', session())).statusCode).toBe(409);
  await lose(-1);
  const again = await post(second, '/v1/sessions', 'dies', session());
  await rows.destroy();
  expect(again.statusCode).toBe(201);
  const ids = [one, again].map((answer) => {
    const { session: made, messageId } = answer.json<{ session: { sessionId: string }; messageId: string }>();
    return [made.sessionId, messageId];
  });
  expect(ids[1]).toEqual(ids[0]);
  // The engine takes the same message twice as one.
  const handed = engine.sent.slice(sent);
  expect(new Set(handed.map(([sessionId, { messageId }]) => `${sessionId} ${messageId}`)).size).toBe(1);
});

test('a token is shown once, and nothing of it is kept', async () => {
  const body = { name: 'ci', role: 'viewer' };
  const made = await post(first, '/v1/tokens', 'token-1', body);
  const { token, tokenId } = made.json<{ token: string; tokenId: string }>();
  const again = await post(second, '/v1/tokens', 'token-1', body);
  expect([again.statusCode, again.json()]).toMatchObject([
    409,
    { code: 'answer-not-repeatable', details: { tokenId } },
  ]);
  const rows = openDatabase({ databaseUrl: database.url, tenant: 'default' });
  const kept = await rows.selectFrom('idempotent_request').selectAll().execute();
  await rows.destroy();
  expect(kept.length).toBeGreaterThan(4);
  expect(JSON.stringify(kept)).not.toContain(token.slice(-20));
  const listed = (await first.inject({ url: '/v1/tokens' })).json<{ tokens: unknown[] }>();
  expect(listed.tokens).toHaveLength(1);
});

test('after 24 hours a key is free again', async () => {
  const one = await post(first, '/v1/sessions', 'old', session());
  const rows = openDatabase({ databaseUrl: database.url, tenant: 'default' });
  const dayAgo = new Date(Date.now() - 86_401_000);
  await rows.updateTable('idempotent_request').set({ begun_at: dayAgo }).where('key', '=', 'old').execute();
  await rows.destroy();
  const next = await post(first, '/v1/sessions', 'old', session());
  expect([next.statusCode, next.headers['idempotency-replayed']]).toEqual([201, undefined]);
  expect(next.body).not.toBe(one.body);
  expect(await inTenant('default', async () => await store.listSessionRuns({ limit: 50 }))).not.toHaveLength(0);
});
