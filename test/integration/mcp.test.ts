import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import type { Permission } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { mcpTools } from '../../services/mcp/tools.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { connectMcpClient, mcpClients } from '../support/mcp-clients.ts';
import type { McpClientKind, TestMcpClient } from '../support/mcp-clients.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, createToken } from './api-fixtures.ts';
import type { FakeEngine } from './api-fixtures.ts';
import { plan, warning } from './store-fixtures.ts';

type App = Awaited<ReturnType<typeof createApp>>;
type Deps = Parameters<typeof createApp>[0];

let store: PostgresStore;
let local: App;
let remote: App;
let url: string;
let engine: FakeEngine;
let folder: string;
let remoteDeps: Deps;
let workspace: string;
let runs: Readonly<Record<McpClientKind | 'waited', { readonly runId: string; readonly prdPath: string }>>;

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-mcp-')));
  workspace = join(folder, 'work');
  runs = Object.fromEntries(
    [...mcpClients, 'waited' as const].map((name) => {
      const id = name.replace(' ', '-');
      return [name, { runId: `ralph:todo-1f2e3d:${id}`, prdPath: join(workspace, `${id}.json`) }];
    }),
  ) as typeof runs;
  const plans = new Map(Object.values(runs).map((run) => [run.prdPath, plan(run)]));
  const deps = { ...apiDeps(store, plans), pingMs: 100 };
  ({ engine } = deps);
  local = await createApp(deps);
  remoteDeps = {
    ...deps,
    authenticate: authenticateByToken(store),
    hostNames: ['localhost', '127.0.0.1', '[::1]'],
    publicUrl: 'https://codetether.example',
    oidcIssuer: 'https://issuer.example',
  };
  remote = await createApp(remoteDeps);
  url = `${await remote.listen({ host: '127.0.0.1', port: 0 })}/mcp`;
  await mkdir(join(workspace, 'src'), { recursive: true });
  await promisify(execFile)('git', ['init', '--quiet', workspace]);
  await writeFile(join(workspace, 'src', 'a.txt'), 'one\ntwo needle\nthree\n');
  await writeFile(join(workspace, 'image.bin'), Buffer.from([1, 0, 2]));
  await writeFile(join(folder, 'secret.txt'), 'a needle outside');
  await symlink(join(folder, 'secret.txt'), join(workspace, 'way-out'));
  await local.inject({ method: 'POST', url: '/v1/workspaces', payload: { name: 'work', folder: workspace } });
});
afterAll(async () => {
  await Promise.all([local.close(), remote.close()]);
  await rm(folder, { recursive: true, force: true });
});

/** Another process takes over at the same address. */
async function restart(): Promise<void> {
  const port = Number(new URL(url).port);
  await remote.close();
  remote = await createApp(remoteDeps);
  await remote.listen({ host: '127.0.0.1', port });
}

const asHost = async <T>(work: () => Promise<T>): Promise<T> => await inTenant('default', work);

async function tokenWith(wanted: readonly Permission[]): Promise<string> {
  return (await createToken(local, { name: 'mcp', permissions: wanted })).token;
}

async function connect(wanted: readonly Permission[], kind: McpClientKind = 'v2 modern'): Promise<TestMcpClient> {
  const headers = { authorization: `Bearer ${await tokenWith(wanted)}` };
  return await connectMcpClient(kind, { kind: 'http', url, headers });
}

/** Input that each tool takes, about things that are not there. */
const inputs: Readonly<Record<string, Record<string, unknown>>> = {
  start_run: { prdPath: join('/', 'nowhere', 'prd.json'), model: 'openai/x' },
  get_check_log: { log: '0'.repeat(64) },
  nudge_story: { text: 'x' },
  start_session: { folder: '/nowhere', text: 'x', model: 'openai/x' },
  send_message: { text: 'x' },
  wait_for_turn: { messageId: 'x', waitMs: 1 },
  wait_for_run: { waitMs: 1 },
  steer_session: { text: 'x' },
  rename_session: { title: 'x' },
  get_context_turn: { turn: 1 },
  pin_context: { turn: 1 },
  answer_approval: { id: 'x', choice: 'yes' },
  read_file: { path: 'x' },
  search_files: { pattern: 'x' },
  validate_prd: { text: '{}' },
  create_prd: { project: 'p', feature: 'f' },
};

function inputOf(name: string): Record<string, unknown> {
  const shape = mcpTools.find((tool) => tool.name === name)?.input.shape ?? {};
  const ids = { runId: 'no-such-run', sessionId: 'no-such-session', storyId: 'US-9', workspace: 'no-such-workspace' };
  const wanted = Object.entries(ids).filter(([id]) => id in shape);
  return { ...Object.fromEntries(wanted), ...inputs[name] };
}

test('there are tools for the whole engine, each with schemas and annotations of its own', async () => {
  const client = await connect(permissions);
  const tools = await client.tools();
  expect(tools.length).toBeGreaterThanOrEqual(30);
  expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length);
  for (const tool of tools) {
    const name = String(tool['name']);
    expect(name).toMatch(/^[a-z]+(_[a-z]+)+$/);
    expect(tool, name).toMatchObject({
      title: expect.stringMatching(/^[A-Z]/),
      description: expect.stringMatching(/.{20}/),
      inputSchema: { type: 'object', additionalProperties: false },
      outputSchema: { type: 'object', properties: expect.anything() },
      annotations: {
        readOnlyHint: expect.any(Boolean),
        destructiveHint: expect.any(Boolean),
        idempotentHint: expect.any(Boolean),
        openWorldHint: expect.any(Boolean),
      },
    });
  }
  const byName = new Map(tools.map((tool) => [tool['name'], tool['annotations']]));
  expect(byName.get('get_run')).toMatchObject({ readOnlyHint: true, destructiveHint: false, idempotentHint: true });
  expect(byName.get('cancel_run')).toMatchObject({ readOnlyHint: false, destructiveHint: true, idempotentHint: true });
  expect(byName.get('send_message')).toMatchObject({ readOnlyHint: false, openWorldHint: true, idempotentHint: false });
  await client.close();
});

test('each tool is refused to whoever has every permission but its own, and goes as far as the API with it', async () => {
  const needed = new Set(mcpTools.flatMap(({ permission }) => (permission === null ? [] : [permission])));
  for (const permission of needed) {
    const mine = mcpTools.filter((tool) => tool.permission === permission);
    const without = permissions.filter((each) => each !== permission);
    if (permission === 'runs:read') {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${await tokenWith(without)}`, 'content-type': 'application/json' },
        body: '{}',
      });
      expect(response.status).toBe(403);
    } else {
      const denied = await connect(without);
      for (const { name } of mine) {
        const { isError, text } = await denied.call(name, inputOf(name));
        expect([name, isError, text], text).toEqual([name, true, expect.stringContaining('[permission-denied]')]);
        expect(text, name).toContain(`needs ${permission}`);
      }
      await denied.close();
    }
    const allowed = await connect([...new Set<Permission>(['runs:read', permission])]);
    for (const { name } of mine) {
      const { text } = await allowed.call(name, inputOf(name));
      expect(text, name).not.toContain(`needs ${permission}`);
      expect(text, name).not.toContain('[internal]');
    }
    await allowed.close();
  }
});

test.each(mcpClients)('%s: starts a run once, reads it, and waits for it with progress', async (kind) => {
  const client = await connect(permissions, kind);
  const { runId, prdPath } = runs[kind];
  const start = { prdPath, model: 'openai/x' };
  expect((await client.call('start_run', start)).value).toMatchObject({ kind: 'started', run: { runId } });
  expect((await client.call('start_run', start)).value).toMatchObject({ kind: 'attached', run: { runId } });
  await asHost(async () => await store.appendRunEvents(runId, [warning('first')]));
  const got = await client.call('get_run', { runId });
  expect(got).toMatchObject({ isError: false, value: { runId, stories: [{ storyId: 'US-1' }, {}, {}] } });
  expect(JSON.parse(got.text)).toEqual(got.value);
  const listed = (await client.call('list_runs')).value as { readonly runs: readonly { readonly runId: string }[] };
  expect(listed.runs.map((run) => run.runId)).toContain(runId);
  const prd = await client.call('get_run_prd', { runId });
  expect(prd.value).toMatchObject({ prd: { stories: [{ id: 'US-1' }, {}, {}] } });
  const events = await client.call('get_run_events', { runId, limit: 1 });
  expect(events.value).toMatchObject({ events: [{ seq: 1, runId }], next: 1 });
  const missing = await client.call('get_run', { runId: 'nothing-like-it' });
  expect(missing).toMatchObject({ isError: true, text: expect.stringContaining('[not-found]') });
  const wrong = await client.call('get_run', { runId, more: 1 }).catch((error: unknown) => ({ text: String(error) }));
  expect(wrong.text).toContain('more');

  const uri = `codetether://runs/${encodeURIComponent(runId)}`;
  expect((await client.resources()).map((resource) => resource.uri)).toEqual(
    expect.arrayContaining([uri, `${uri}/prd`, `${uri}/events`]),
  );
  expect(JSON.parse(await client.read(uri))).toMatchObject({ runId });
  await expect(client.read('codetether://runs/no-such-run')).rejects.toThrow('no-such-run');
  expect(JSON.parse(await client.read(`${uri}/prd`))).toMatchObject({ runId, prd: { project: 'todo' } });
  expect(JSON.parse(await client.read(`${uri}/events`))).toMatchObject({ events: [{ seq: 1 }] });
  expect(await client.complete('codetether://runs/{runId}', 'runId', runId.slice(10))).toEqual([runId]);
  expect(await client.prompt('review_run', { runId })).toContain(runId);

  const told: string[] = [];
  const waiting = client.call('wait_for_run', { runId }, { onProgress: (message) => told.push(message) });
  await delay(200);
  await asHost(async () => {
    await store.appendRunEvents(runId, [warning('told meanwhile')]);
    const ended = { outcome: 'completed', message: '', tip: null, commits: 0, durationMs: 1 } as const;
    await store.finishRun({ runId, execution: 1, ...ended });
  });
  expect((await waiting).value).toMatchObject({ ended: true, run: { runId, status: 'completed' } });
  expect(told).toEqual(['warning', 'run-ended']);
  await client.close();
});

test('a wait that is over or given up leaves the run alone, and a further one finds it', async () => {
  const client = await connect(permissions);
  const { runId, prdPath } = runs.waited;
  await client.call('start_run', { prdPath, model: 'openai/x' });
  const short = await client.call('wait_for_run', { runId, waitMs: 50 });
  expect(short.value).toMatchObject({ ended: false, run: { runId } });
  const left = new AbortController();
  const waiting = client.call('wait_for_run', { runId, waitMs: 60_000 }, { signal: left.signal });
  await delay(200);
  left.abort();
  await expect(waiting).rejects.toThrow();
  expect(engine.steered).toEqual([]);
  expect((await client.call('wait_for_run', { runId, waitMs: 50 })).value).toMatchObject({ ended: false });
  const closing = client.call('wait_for_run', { runId, waitMs: 60_000 });
  await delay(200);
  const before = Date.now();
  await Promise.all([restart(), closing.catch(() => undefined)]);
  expect(Date.now() - before).toBeLessThan(5_000);
  expect((await client.call('wait_for_run', { runId, waitMs: 50 })).value).toMatchObject({ ended: false });
  await client.close();
});

test.each(mcpClients)('%s: gives an agent messages, and steers its session', async (kind) => {
  const client = await connect(permissions, kind);
  const given = { folder: workspace, text: 'hello', model: 'openai/x', messageId: 'one' };
  const started = (await client.call('start_session', given)).value as { session: { sessionId: string } };
  expect(started).toMatchObject({ messageId: 'one', turn: null, session: { folder: workspace } });
  const { sessionId } = started.session;
  const renamed = await client.call('rename_session', { sessionId, title: `of ${kind}` });
  expect(renamed.value).toMatchObject({ title: `of ${kind}` });
  const turn = await client.call('wait_for_turn', { sessionId, messageId: 'one', waitMs: 50 });
  expect(turn.value).toEqual({ turn: null });
  expect((await client.call('get_context', { sessionId })).value).toMatchObject({ sessionId });
  expect((await client.call('get_transcript', { sessionId })).value).toMatchObject({ rowsInAll: expect.any(Number) });
  const uri = `codetether://sessions/${encodeURIComponent(sessionId)}`;
  expect(JSON.parse(await client.read(`${uri}/transcript`))).toMatchObject({ rows: expect.any(Array) });
  expect(JSON.parse(await client.read(uri))).toMatchObject({ sessionId });
  await client.close();
});

test('files of a workspace are listed, read in parts and searched, and nothing beyond it', async () => {
  const client = await connect(['runs:read', 'workspaces:read', 'files:read']);
  const of = { workspace: 'work' };
  expect((await client.call('list_workspaces')).value).toMatchObject({
    workspaces: [{ name: 'work', folder: workspace }],
  });
  expect((await client.call('list_files', of)).value).toEqual({
    path: '.',
    entries: [
      { name: 'image.bin', kind: 'file' },
      { name: 'src', kind: 'folder' },
      { name: 'way-out', kind: 'link' },
    ],
    more: 0,
  });
  const part = await client.call('read_file', { ...of, path: 'src/a.txt', fromLine: 2, lines: 1 });
  expect(part.value).toEqual({ path: 'src/a.txt', bytes: 21, fromLine: 2, text: 'two needle', next: 3 });
  const rest = await client.call('read_file', { ...of, path: 'src/a.txt', fromLine: 3 });
  expect(rest.value).toMatchObject({ text: 'three', next: null });
  const match = { path: 'src/a.txt', line: 2, text: 'two needle' };
  expect((await client.call('search_files', { ...of, pattern: 'needle' })).value).toEqual({
    matches: [match],
    limited: false,
  });
  expect((await client.call('search_files', { ...of, pattern: '^two', regex: true })).value).toMatchObject({
    matches: [match],
  });
  for (const [input, code] of [
    [{ path: '../secret.txt' }, 'path-outside-workspace'],
    [{ path: join(folder, 'secret.txt') }, 'path-outside-workspace'],
    [{ path: 'way-out' }, 'path-outside-workspace'],
    [{ path: '.git/config' }, 'path-outside-workspace'],
    [{ path: 'image.bin' }, 'request-invalid'],
    [{ path: 'src' }, 'not-found'],
    [{ path: 'none.txt' }, 'not-found'],
    [{ path: 'x'.repeat(300) }, 'not-found'],
    [{ workspace: 'other', path: 'src/a.txt' }, 'not-found'],
  ] as const) {
    const { isError, text } = await client.call('read_file', { ...of, ...input });
    expect([isError, text], JSON.stringify(input)).toEqual([true, expect.stringContaining(`[${code}]`)]);
  }
  for (const path of ['../secret.txt', 'way-out', 'a%00b']) {
    const outside = await local.inject({ url: `/v1/workspaces/work/file?path=${path}` });
    expect([path, outside.statusCode]).toEqual([path, 403]);
  }
  const wrong = await client.call('search_files', { ...of, pattern: '(', regex: true });
  expect(wrong.text).toContain('[request-invalid]');
  await client.close();
});

test('a PRD is checked and begun without anything being written', async () => {
  const client = await connect(['runs:read']);
  const begun = (
    await client.call('create_prd', { project: 'todo', feature: 'due dates', qualityChecks: { test: 'npm test' } })
  ).value as { text: string };
  expect((await client.call('validate_prd', begun)).value).toMatchObject({
    valid: true,
    gates: ['test'],
    branch: 'feature/due-dates',
    stages: [['US-001'], ['US-002']],
  });
  const yaml = await client.call('validate_prd', { text: 'project: [' });
  expect(yaml.value).toMatchObject({ valid: false, problems: [expect.anything()] });
  expect((await client.call('validate_prd', { text: '{}' })).value).toMatchObject({ valid: false });
  await client.close();
});

test('who has no token is told where to get one, and pages of strangers are refused', async () => {
  const post = async (headers: Readonly<Record<string, string>>) =>
    await remote.inject({ method: 'POST', url: '/mcp', headers: { host: '127.0.0.1', ...headers }, payload: {} });
  const stranger = await post({});
  expect(stranger.statusCode).toBe(401);
  expect(stranger.headers['www-authenticate']).toBe(
    'Bearer realm="codetether", resource_metadata="https://codetether.example/.well-known/oauth-protected-resource/mcp"',
  );
  const poor = await post({ authorization: `Bearer ${await tokenWith(['hosts:read'])}` });
  expect([poor.statusCode, poor.json<object>()]).toEqual([
    403,
    expect.objectContaining({ code: 'permission-denied', details: { needs: 'runs:read' } }),
  ]);
  expect(poor.headers['www-authenticate']).toBe(
    'Bearer realm="codetether", resource_metadata="https://codetether.example/.well-known/oauth-protected-resource/mcp", error="insufficient_scope", scope="runs:read"',
  );
  const metadata = await remote.inject({ url: '/.well-known/oauth-protected-resource/mcp' });
  expect(metadata.json()).toMatchObject({
    resource: 'https://codetether.example/mcp',
    authorization_servers: ['https://issuer.example'],
    scopes_supported: [...permissions],
  });
  expect((await remote.inject({ url: '/.well-known/oauth-protected-resource' })).json()).toMatchObject({
    resource: 'https://codetether.example',
  });
  const authorization = `Bearer ${await tokenWith(['runs:read'])}`;
  expect((await post({ authorization, host: 'evil.example' })).statusCode).toBe(403);
  expect((await post({ authorization, origin: 'https://evil.example' })).statusCode).toBe(403);
  expect((await post({ authorization, host: 'codetether.example' })).statusCode).not.toBe(403);
  expect((await local.inject({ url: '/.well-known/oauth-protected-resource' })).statusCode).toBe(404);
});

test('what is no request of the protocol is answered as such', async () => {
  const authorization = `Bearer ${await tokenWith(['runs:read'])}`;
  const post = async (body: string, type = 'application/json') =>
    await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': type, accept: 'application/json, text/event-stream' },
      body,
    });
  for (const [body, type] of [
    ['{', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['{"jsonrpc":"2.0","id":1,"method":"nothing/such"}', undefined],
    ['{}', 'text/plain'],
    [`"${'x'.repeat(5_000_000)}"`, undefined],
  ] as const) {
    const response = await post(body, type);
    expect(response.status, body.slice(0, 60)).toBeLessThan(500);
    expect(await response.text()).not.toContain('    at ');
  }
  for (const method of ['GET', 'DELETE']) {
    expect((await fetch(url, { method, headers: { authorization } })).status).toBe(405);
  }
});
