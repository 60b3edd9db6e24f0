import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { createLimits } from '../../services/api/limits.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let app: Awaited<ReturnType<typeof createApp>>;
let address: string;

withTestStore((opened) => {
  store = opened;
});

beforeAll(async () => {
  app = await createApp({
    ...apiDeps(store),
    // By the name that the test gives: each has its own limits.
    authenticate: async ({ headers }) => ({
      id: `key:${String(headers['x-api-key'])}`,
      tenant: 'default',
      permissions: new Set(permissions),
      isLocal: false,
    }),
    limits: createLimits({ requestsPerSecond: 2, streams: 3 }),
  });
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await app.close();
});

let names = 0;
async function ask(
  path: string,
  init: Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> } = {},
  name = `k${names++}`,
) {
  const response = await fetch(`${address}${path}`, {
    ...init,
    headers: { 'x-api-key': name, ...init.headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}
const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) => ({
  method: 'POST',
  body,
  headers,
});
const deep = (levels: number) => `{"outputSchema":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`;

test.each([
  ['no JSON', post('{"kind":'), 422, 'request-invalid'],
  ['no body where one is needed', { method: 'POST' }, 422, 'request-invalid'],
  ['a list instead of an object', post('[]'), 422, 'request-invalid'],
  ['100,000 levels', post(deep(100_000)), 422, 'request-invalid'],
  ['65 levels', post(deep(65)), 422, 'request-invalid'],
  ['another prototype', post('{"__proto__":{"isLocal":true}}'), 422, 'request-invalid'],
  ['10 MB', post(JSON.stringify({ prdPath: 'x'.repeat(10_000_000) })), 413, 'request-too-large'],
  ['a text', post('kind=ralph', { 'content-type': 'text/plain' }), 415, 'media-type-unsupported'],
  [
    'a form',
    post('kind=ralph', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'media-type-unsupported',
  ],
])('%s is answered by a problem, without a stack', async (_name, init, status, code) => {
  const response = await ask('/v1/runs', init);
  expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json']);
  expect(JSON.parse(response.text)).toMatchObject({ status, code, next: expect.stringMatching(/./) });
  expect(response.text).not.toMatch(/\.ts\b|node_modules|\\n +at /);
});

test.each([
  ['a parameter that is too long', `/v1/runs/${'x'.repeat(2_000)}`, 422],
  ['an address that is no text', '/v1/runs/%ff%fe', 422],
  ['headers that are too long', `/v1/runs?limit=${'1'.repeat(70_000)}`, 413],
  ['a NUL in a folder', '/v1/stats?folder=/a%00b', 422],
  ['a NUL in one of two folders', '/v1/stats?folder=/a&folder=/b%00', 422],
  ['a year that PostgreSQL has not', '/v1/stats?since=0000-01-01T00:00:00-19:34', 200],
])('%s', async (_name, path, status) => {
  const response = await ask(path);
  expect(response.status, response.text).toBe(status);
  if (status !== 200) expect(JSON.parse(response.text)).toMatchObject({ status });
});

test('what is no HTTP gets a problem, and clients that go away at any point harm nobody', async () => {
  const port = Number(new URL(address).port);
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GARBAGE\r\n\r\n'));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => resolve(text));
  });
  expect(answer).toContain('HTTP/1.1 422');
  expect(answer).toContain('"code":"request-invalid"');
  const request = `POST /v1/runs HTTP/1.1\r\nhost: x\r\nx-api-key: gone\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{"kind":"ralph","prdPath":"/a","model":"b"`;
  for (let end = 1; end <= request.length; end += 9) {
    const socket = connect(port, '127.0.0.1', () => socket.write(request.slice(0, end), () => socket.destroy()));
    await new Promise((resolve) => socket.on('close', resolve));
  }
  expect((await ask('/health')).status).toBe(200);
});

test('who asks too often is told when to come again, and nobody else is', async () => {
  const hasty = await Promise.all(Array.from({ length: 40 }, async () => await ask('/v1/hosts', {}, 'hasty')));
  const refused = hasty.filter(({ status }) => status === 429);
  expect(hasty.filter(({ status }) => status === 200)).toHaveLength(40 - refused.length);
  expect(refused.length).toBeGreaterThan(10);
  expect(JSON.parse(refused[0]?.text ?? '')).toMatchObject({ code: 'rate-limited', status: 429 });
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await ask('/v1/hosts', {}, 'patient')).status).toBe(200);
  await delay(1_100);
  expect((await ask('/v1/hosts', {}, 'hasty')).status).toBe(200);
});

test('one credential has only so many event streams open, and gets another when one has ended', async () => {
  const run = plan();
  await store.openRun(run);
  const stream = async (name: string, leaving: AbortController) =>
    await fetch(`${address}/v1/runs/${run.runId}/events`, {
      headers: { 'x-api-key': name },
      signal: leaving.signal,
    });
  const leavings = [1, 2, 3].map(() => new AbortController());
  for (const leaving of leavings) expect((await stream('reader', leaving)).status).toBe(200);
  const all = new AbortController();
  expect((await stream('reader', all)).status).toBe(429);
  expect((await stream('other', all)).status).toBe(200);
  leavings[0]?.abort();
  await expect.poll(async () => (await stream('reader', all)).status, { interval: 600 }).toBe(200);
  for (const each of [...leavings, all]) each.abort();
});
