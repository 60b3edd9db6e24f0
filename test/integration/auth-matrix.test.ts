import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import type { Permission } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { currentTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, collectRoutes, createToken } from './api-fixtures.ts';
import type { TestRoute } from './api-fixtures.ts';

type App = Awaited<ReturnType<typeof createApp>>;

let store: PostgresStore;
let local: App;
let remote: App;
const { routes, onRoute } = collectRoutes();

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  local = await createApp(apiDeps(store));
  remote = await createApp({ ...apiDeps(store), authenticate: authenticateByToken(store), onRoute });
});
afterAll(async () => {
  await Promise.all([local.close(), remote.close()]);
});

/** Any id that has the documented form. */
const filled = (url: string) =>
  url
    .replace(':tokenId', '000000000000')
    .replaceAll(/(?<!:):\w+(?:\(.*?\))?/g, 'x'.repeat(64))
    .replaceAll('::', ':');

async function token(wanted: readonly Permission[], expiresInMs?: number): Promise<string> {
  const body = { name: 'matrix', permissions: wanted, ...(expiresInMs === undefined ? {} : { expiresInMs }) };
  return (await createToken(local, body)).token;
}

async function answers(credential: (route: TestRoute) => Promise<string | undefined>) {
  return await Promise.all(
    routes.map(async (route) => {
      const bearer = await credential(route);
      const response = await remote.inject({
        method: route.method,
        url: filled(route.url),
        headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
        ...(['POST', 'PATCH', 'PUT'].includes(route.method) ? { payload: {} } : {}),
      });
      return { ...route, status: response.statusCode, body: response.body };
    }),
  );
}

test('there are routes, and all but health, readiness, the document, the agent card and its keys need a permission', () => {
  expect(routes.length).toBeGreaterThan(30);
  expect(
    routes
      .filter(({ permission }) => permission === undefined)
      .map(({ url }) => url)
      .toSorted(),
  ).toEqual([
    '/.well-known/agent-card.json',
    '/.well-known/agent.json',
    '/.well-known/jwks.json',
    '/health',
    '/openapi.json',
    '/ready',
  ]);
});

test('no route answers without a credential, with a wrong one, or with one that ended', async () => {
  const expired = await token(['runs:read'], 1);
  const wrong = `${(await token([...permissions])).slice(0, -4)}AAAA`;
  for (const credential of [undefined, wrong, expired, 'nonsense']) {
    for (const { method, url, permission, status, body } of await answers(async () => credential)) {
      const isPublic = permission === undefined;
      expect(status === 401, `${String(method)} ${url}: ${status}`).toBe(!isPublic);
      const said = /^\/v1\/(models|chat)/.test(url)
        ? { error: { code: 'invalid_api_key' } }
        : { code: 'unauthenticated' };
      if (!isPublic) expect(JSON.parse(body)).toMatchObject(said);
    }
  }
});

test('each route refuses a credential that has every permission but the one it needs', async () => {
  const others = new Map<Permission, string>();
  for (const each of permissions) {
    others.set(each, await token(permissions.filter((permission) => permission !== each)));
  }
  const all = await answers(async ({ permission }) => (permission === undefined ? undefined : others.get(permission)));
  for (const { method, url, permission, status } of all) {
    expect(status === 403, `${String(method)} ${url}: ${status}`).toBe(permission !== undefined);
  }
});

test('each route lets the permission that it needs through, and breaks on nothing', async () => {
  const own = new Map<Permission, string>();
  for (const each of permissions) own.set(each, await token([each]));
  const all = await answers(async ({ permission }) => (permission === undefined ? undefined : own.get(permission)));
  for (const { method, url, status, body } of all) {
    if (url === '/ready') continue;
    const isDenied = status === 403 && !body.includes('has not itself');
    expect(isDenied || status === 401 || status >= 500, `${String(method)} ${url}: ${status} ${body}`).toBe(false);
  }
});
