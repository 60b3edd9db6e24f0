import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { authenticateAnybody } from '../../services/api/conformance.ts';
import { serveApi } from '../../services/api/serve.ts';
import { loadConfig } from '../../services/config/config.ts';
import { currentTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { connectMcpClient, mcpClients } from '../support/mcp-clients.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, createToken } from './api-fixtures.ts';

type App = Awaited<ReturnType<typeof createApp>>;

const kit = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
);

let store: PostgresStore;
let local: App;
let profile: App;
let url: string;
let folder: string;

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codetether-conformance-'));
  const deps = apiDeps(store);
  local = await createApp(deps);
  profile = await createApp({
    ...deps,
    authenticate: authenticateAnybody(authenticateByToken(store)),
    conformance: 'hybrid',
    hostNames: ['localhost', '127.0.0.1', '[::1]'],
  });
  url = await profile.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await Promise.all([local.close(), profile.close()]);
  await rm(folder, { recursive: true, force: true });
});

test('outside of the profile the kit finds no fixtures', async () => {
  const answer = await local.inject({ method: 'POST', url: '/conformance/mcp', payload: {} });
  expect([answer.statusCode, answer.json<object>()]).toEqual([404, expect.objectContaining({ code: 'not-found' })]);
});

test('the profile is served to this machine only, whatever else is given', async () => {
  const config = loadConfig({ environment: { HOME: folder, CODETETHER_DATA_DIR: folder } });
  const served = serveApi({
    config,
    environment: {},
    http: { host: '0.0.0.0', port: 0, allowPlain: true, conformance: 'hybrid' },
  });
  await expect(served).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('takes anybody') });
});

test('whoever comes without a credential works in a tenant of his own; a wrong credential is refused', async () => {
  const made = await profile.inject({ method: 'POST', url: '/v1/workspaces', payload: { name: 'kit', folder } });
  expect(made.statusCode).toBe(201);
  const seenBy = async (tenant: string) =>
    (await local.inject({ url: '/v1/workspaces', headers: { 'x-codetether-tenant': tenant } })).json<object>();
  expect(await seenBy('conformance')).toMatchObject({ workspaces: [{ name: 'kit' }] });
  expect(await seenBy('default')).toMatchObject({ workspaces: [] });
  const { token } = await createToken(local, { name: 'own', permissions: ['workspaces:read'] });
  const withToken = await profile.inject({ url: '/v1/workspaces', headers: { authorization: `Bearer ${token}` } });
  expect(withToken.json<object>()).toMatchObject({ workspaces: [] });
  const wrong = await profile.inject({ url: '/v1/workspaces', headers: { authorization: 'Bearer nonsense' } });
  expect(wrong.statusCode).toBe(401);
});

test.each(mcpClients)('a %s client calls the fixtures', async (kind) => {
  const client = await connectMcpClient(kind, { kind: 'http', url: `${url}/conformance/mcp`, headers: {} });
  try {
    expect(await client.call('test_simple_text')).toMatchObject({ isError: false, text: 'This is a simple text.' });
    expect(await client.call('test_error_handling')).toMatchObject({ isError: true });
    expect(await client.read('test://template/7/data')).toBe('{"id":"7"}');
  } finally {
    await client.close();
  }
});

test('a session that nobody has opened, or that is over, is not found', async () => {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const post = async (body: object, session = {}) =>
    await fetch(`${url}/conformance/mcp`, {
      method: 'POST',
      headers: { ...headers, ...session },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
    });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const opened = await post({ method: 'initialize', params });
  await opened.text();
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  expect((await post({ method: 'ping' }, session)).status).toBe(200);
  const ended = await fetch(`${url}/conformance/mcp`, { method: 'DELETE', headers: { ...headers, ...session } });
  expect(ended.status).toBe(200);
  for (const gone of [session, { 'mcp-session-id': 'none' }]) {
    expect((await post({ method: 'ping' }, gone)).status).toBe(404);
  }
});

test.each([
  { path: '/conformance/mcp', revision: '2025-11-25', scenario: 'tools-call-sampling' },
  { path: '/conformance/mcp', revision: '2026-07-28', scenario: 'input-required-result-multi-round' },
  { path: '/mcp', revision: '2026-07-28', scenario: 'dns-rebinding-protection' },
  { path: '/mcp', revision: '2026-07-28', scenario: 'caching' },
])('the official kit finds nothing wrong with $path: $scenario of $revision', async ({ path, revision, scenario }) => {
  const output = join(folder, `${scenario}-${revision}`);
  const target = ['--url', `${url}${path}`, '--scenario', scenario, '--spec-version', revision, '-o', output];
  await promisify(execFile)(process.execPath, [kit, 'server', ...target]);
  const [result = ''] = await readdir(output);
  const checks = JSON.parse(await readFile(join(output, result, 'checks.json'), 'utf8')) as readonly {
    readonly status: string;
  }[];
  const statuses = new Set(checks.map(({ status }) => status));
  expect(statuses).toContain('SUCCESS');
  expect(statuses).not.toContain('FAILURE');
});
