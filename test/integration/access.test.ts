import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { roles } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import { openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, createToken } from './api-fixtures.ts';
import type { TestToken } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

type App = Awaited<ReturnType<typeof createApp>>;

let database: TestDatabase;
let store: PostgresStore;
/** As the owner of the machine speaks to it, and as everybody else does. */
let local: App;
let remote: App;

withTestStore(
  (opened, own) => {
    [store, database] = [opened, own];
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  local = await createApp(apiDeps(store));
  remote = await createApp({ ...apiDeps(store), authenticate: authenticateByToken(store) });
});
afterAll(async () => {
  await Promise.all([local.close(), remote.close()]);
});

const asked = async (url: string, token?: string, method: 'GET' | 'POST' | 'DELETE' = 'GET', payload?: object) =>
  await remote.inject({
    method,
    url,
    ...(payload === undefined ? {} : { payload }),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });

test('a token holds for what its role may, and for nothing else', async () => {
  const { token } = await createToken(local, { name: 'reader', role: 'viewer' });
  expect((await asked('/v1/runs', token)).statusCode).toBe(200);
  const denied = await asked('/v1/tokens', token);
  expect(denied.statusCode).toBe(403);
  expect(denied.json()).toMatchObject({ code: 'permission-denied' });
  const own = await remote.inject({ url: '/v1/runs', headers: { 'x-api-key': token } });
  expect(own.statusCode).toBe(200);
});

test('no credential, a wrong one, and one that ended look the same', async () => {
  const { token, tokenId } = await createToken(local, { name: 'short', role: 'viewer', expiresInMs: 1 });
  const other = await createToken(local, { name: 'revoked', role: 'viewer' });
  await local.inject({ method: 'DELETE', url: `/v1/tokens/${other.tokenId}` });
  const answers = await Promise.all(
    [
      undefined,
      '',
      'ct_default_000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      token.replace('ct_default_', 'ct_other_'),
      token,
      other.token,
      'eyJhbGciOiJub25lIn0.e30.',
    ].map(async (credential) => await asked('/v1/runs', credential)),
  );
  for (const answer of answers) {
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.body).toBe(answers[0]?.body);
  }
  expect(tokenId).toMatch(/^[0-9a-f]{12}$/);
});

test('a token is kept as a hash only, and its last use is noted', async () => {
  const { token, tokenId } = await createToken(local, { name: 'used', role: 'viewer' });
  await asked('/v1/runs', token);
  const listed = await local.inject({ url: '/v1/tokens' });
  const { tokens } = listed.json<{ tokens: { tokenId: string; lastUsedAt: string | null }[] }>();
  expect(tokens.find((each) => each.tokenId === tokenId)?.lastUsedAt).not.toBeNull();
  expect(listed.body).not.toContain(token);
  const queries = openDatabase({ databaseUrl: database.url });
  const rows = await sql<{ row: string }>`SELECT api_key::text AS row FROM api_key`.execute(queries);
  await queries.destroy();
  expect(JSON.stringify(rows.rows)).not.toContain(token.split('_').slice(3).join('_'));
});

test('a token that is rotated holds on beside the new one for as long as was said', async () => {
  const { token, tokenId } = await createToken(local, { name: 'ci', role: 'operator' });
  const rotated = await local.inject({
    method: 'POST',
    url: `/v1/tokens/${tokenId}/rotate`,
    payload: { overlapMs: 60_000 },
  });
  const next = rotated.json<TestToken & { permissions: string[] }>();
  expect(next.permissions).toEqual([...roles.operator]);
  expect((await asked('/v1/runs', token)).statusCode).toBe(200);
  expect((await asked('/v1/runs', next.token)).statusCode).toBe(200);
  await local.inject({ method: 'POST', url: `/v1/tokens/${next.tokenId}/rotate`, payload: { overlapMs: 0 } });
  expect((await asked('/v1/runs', next.token)).statusCode).toBe(401);
});

test('nobody gives a permission that he has not', async () => {
  const { token } = await createToken(local, { name: 'maker', permissions: ['tokens:manage', 'runs:read'] });
  const more = await asked('/v1/tokens', token, 'POST', { name: 'x', role: 'admin' });
  expect(more.statusCode).toBe(403);
  expect(more.json().title).toContain('runs:write');
  expect((await asked('/v1/tokens', token, 'POST', { name: 'x', permissions: ['runs:read'] })).statusCode).toBe(201);
});

test('what a token of another tenant asks for is not there', async () => {
  await inTenant('default', async () => await store.openRun(plan()));
  const ofAcme = { 'x-codetether-tenant': 'acme' };
  const payload = { name: 'a', role: 'admin' };
  const made = await local.inject({ method: 'POST', url: '/v1/tokens', headers: ofAcme, payload });
  const secret = made.json<TestToken>();
  expect(secret.token).toMatch(/^ct_acme_/);
  const { token: own } = await createToken(local, { name: 'own', role: 'viewer' });
  const url = `/v1/runs/${encodeURIComponent(plan().runId)}`;
  expect((await asked(url, own)).statusCode).toBe(200);
  const foreign = await asked(url, secret.token);
  expect(foreign.statusCode).toBe(404);
  expect((await asked('/v1/runs', secret.token)).json()).toEqual({ runs: [], nextCursor: null });
  const listed = await local.inject({ url: '/v1/tokens', headers: ofAcme });
  expect(listed.json<{ tokens: object[] }>().tokens).toHaveLength(1);
  // The header is the local user's only.
  const claimed = await remote.inject({ url: '/v1/runs', headers: { ...ofAcme, authorization: `Bearer ${own}` } });
  expect(claimed.json<{ runs: object[] }>().runs).toHaveLength(1);
  expect((await local.inject({ url: '/v1/runs', headers: { 'x-codetether-tenant': "a';--" } })).statusCode).toBe(422);
});

test('a hundred requests of two tenants at once each see their own rows', async () => {
  const ofAcme = await inTenant('acme', async () => (await store.listApiKeys()).length);
  const seen = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const tenant = index % 2 === 0 ? 'default' : 'acme';
      const keys = await inTenant(tenant, async () => await store.listApiKeys());
      return { tenant, keys: keys.length };
    }),
  );
  for (const { tenant, keys } of seen) expect(keys === ofAcme).toBe(tenant === 'acme');
  expect(await store.listApiKeys()).toEqual([]);
});

test('who asks from elsewhere names folders, scripts and remotes of named workspaces only', async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-access-')));
  const [open, closed] = [join(folder, 'open'), join(folder, 'closed')];
  for (const each of [open, closed]) await mkdir(each);
  await symlink(closed, join(open, 'link'));
  const { token } = await createToken(local, { name: 'far', role: 'operator' });
  const start = async (at: string, model = 'openai/gpt-5', credential: string | undefined = token) =>
    await asked('/v1/sessions', credential, 'POST', { folder: at, text: 'x', model });
  expect((await start(open)).statusCode).toBe(403);
  const named = { name: 'open', folder: open };
  expect((await asked('/v1/workspaces', token, 'POST', named)).statusCode).toBe(403);
  await local.inject({ method: 'POST', url: '/v1/workspaces', payload: named });
  expect((await start(open)).statusCode).toBe(201);
  for (const at of [closed, join(open, 'link'), join(open, '..', 'closed'), '/', join(closed, 'gone')]) {
    expect((await start(at)).statusCode, at).toBe(403);
  }
  expect((await start(open, `scripted/${closed}/secret.json`)).statusCode).toBe(403);
  expect((await start(open, 'scripted/relative.json')).statusCode).toBe(403);
  const run = { kind: 'ralph', prdPath: join(open, 'prd.json'), model: 'openai/gpt-5' };
  expect((await asked('/v1/runs', token, 'POST', { ...run, remote: closed })).statusCode).toBe(403);
  expect((await asked('/v1/runs', token, 'POST', { ...run, prdPath: '/etc/passwd' })).statusCode).toBe(403);
  await local.inject({ method: 'DELETE', url: '/v1/workspaces/open' });
  expect((await start(open)).statusCode).toBe(403);
  await rm(folder, { recursive: true });
});

test('denials and tokens are in the audit, and a changed entry is found', async () => {
  const audit = await local.inject({ url: '/v1/audit' });
  const { entries } = audit.json<{ entries: { action: string; outcome: string; seq: number }[] }>();
  expect(entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
    expect.arrayContaining(['GET /v1/tokens denied', 'tokens create done', 'tokens revoke done', 'tokens rotate done']),
  );
  expect((await local.inject({ url: '/v1/audit/check' })).json()).toEqual({ broken: null });
  const owner = openDatabase({ databaseUrl: database.ownerUrl });
  await sql`UPDATE audit SET principal = 'nobody' WHERE seq = 2`.execute(owner);
  expect((await local.inject({ url: '/v1/audit/check' })).json()).toEqual({ broken: 2 });
  await owner.destroy();
});
