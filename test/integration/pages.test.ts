import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../services/api/app.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, createToken, startApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let app: FastifyInstance;

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

const runId = (number: number) => `ralph:todo-1f2e3d:run-${number}`;

async function openRun(number: number): Promise<void> {
  await inTenant('default', async () => {
    await store.openRun(plan({ runId: runId(number), stories: [{ id: 'US-1' }] }));
    const nothing = { tip: null, commits: 0, durationMs: 0 };
    await store.finishRun({ runId: runId(number), execution: 1, outcome: 'completed', message: '', ...nothing });
  });
}

async function openSession(number: number): Promise<void> {
  const plain = { folder: `/work/${number % 2}`, hostId: 'h', title: 't', model: 'm', agent: 'build', caps: {} };
  await inTenant('default', async () => {
    await store.openSession({ sessionId: `session:${number}`, ...plain });
    await store.abandonTurn(`session:${number}`, 'over');
  });
}

beforeAll(async () => {
  app = await createApp(apiDeps(store));
  for (let number = 1; number <= 7; number++) {
    await openRun(number);
    await openSession(number);
    await createToken(app, { name: `token ${number}`, role: 'viewer' });
    await inTenant('default', async () => {
      const id = `approval-${number}`;
      await store.nameWorkspace({ name: `w${number}`, hostId: 'h', folder: `/w/${number}`, createdBy: 'local' });
      await store.seeHost({ hostId: `host-${number}`, name: 'h', pid: 1, version: '1', slots: 1, slotsUsed: 0 });
      await store.requestApproval({
        approvalId: id,
        runId: runId(number),
        storyId: 'US-1',
        workflowId: 'w',
        kind: 'tool-risk',
        question: 'May it?',
        choices: ['allow', 'deny'],
        defaultChoice: 'deny',
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
      });
    });
  }
});
afterAll(async () => await app.close());

const get = async (url: string, headers: Record<string, string> = {}) =>
  await app.inject({ method: 'GET', url, headers });

interface Page {
  readonly nextCursor: string | null;
  readonly [items: string]: unknown;
}

/** All items, three at a time; `between` runs after the first page. */
async function readAll(url: string, items: string, between = async () => {}): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (let cursor = ''; ;) {
    const response = await get(`${url}limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(response.statusCode, response.body).toBe(200);
    const page = response.json<Page>();
    found.push(...(page[items] as readonly unknown[]));
    if (cursor === '') await between();
    if (page.nextCursor === null) return found;
    cursor = page.nextCursor;
  }
}

const lists = [
  ['/v1/runs?', 'runs', 'runId'],
  ['/v1/sessions?', 'sessions', 'sessionId'],
  ['/v1/sessions?folder=%2Fwork%2F1&', 'sessions', 'sessionId'],
  ['/v1/approvals?', 'approvals', 'id'],
  ['/v1/tokens?', 'tokens', 'tokenId'],
  ['/v1/workspaces?', 'workspaces', 'name'],
  ['/v1/hosts?', 'hosts', 'hostId'],
  ['/v1/audit?', 'entries', 'seq'],
] as const;

test.each(lists)('%s page by page is what it is at once, in its order', async (url, items, key) => {
  const whole = (await get(`${url}limit=500`)).json<Page>();
  expect(whole.nextCursor).toBeNull();
  const ids = (all: unknown) => (all as readonly Record<string, unknown>[]).map((item) => item[key]);
  expect(ids(whole[items]).length).toBeGreaterThanOrEqual(4);
  expect(ids(await readAll(url, items))).toEqual(ids(whole[items]));
});

test('what comes between two pages moves nothing of what comes after', async () => {
  const before = (await get('/v1/runs')).json<{ runs: { runId: string }[] }>().runs.map((run) => run.runId);
  const read = await readAll('/v1/runs?', 'runs', async () => {
    await openRun(8);
    // It had its turn, and is the newest now.
    await openRun(7);
  });
  expect(read.map((run) => (run as { runId: string }).runId)).toEqual(before);
});

test('a cursor that is none, of another list, filter or tenant is refused', async () => {
  const { nextCursor } = (await get('/v1/runs?limit=1')).json<Page>();
  const filtered = (await get('/v1/sessions?limit=1&folder=%2Fwork%2F1')).json<Page>().nextCursor;
  const forged = Buffer.from(JSON.stringify(['x', ['now', 1]])).toString('base64url');
  const readable = JSON.parse(Buffer.from(String(nextCursor), 'base64url').toString()) as [string, [number, string]];
  const changed = (...place: unknown[]) =>
    `/v1/runs?cursor=${Buffer.from(JSON.stringify([readable[0], place])).toString('base64url')}`;
  for (const url of [
    changed(readable[1][0], 'a\0b'),
    changed(1e20, 'a'),
    changed(1, 'a', 'b'),
    '/v1/sessions?folder=%00',
    '/v1/stats?folder=%00.',
    '/v1/runs?cursor=nonsense',
    `/v1/runs?cursor=${forged}`,
    `/v1/runs?cursor=${'A'.repeat(3_000)}`,
    `/v1/sessions?cursor=${nextCursor}`,
    `/v1/audit?cursor=${nextCursor}`,
    `/v1/sessions?cursor=${filtered}`,
    '/v1/runs?limit=0',
    '/v1/runs?limit=501',
  ])
    expect([url, (await get(url)).statusCode]).toEqual([url, 422]);
  expect((await get(`/v1/runs?cursor=${nextCursor}`, { 'x-codetether-tenant': 'acme' })).statusCode).toBe(422);
  expect((await get(`/v1/runs?cursor=${nextCursor}`)).statusCode).toBe(200);
});

test('the client reads a list that is longer than a page to its end', async () => {
  await inTenant('default', async () => {
    const names = Array.from({ length: 502 }, (_, index) => `many-${index}`);
    await Promise.all(
      names.map(async (name) => await store.nameWorkspace({ name, hostId: 'h', folder: '/', createdBy: 'local' })),
    );
  });
  const api = await startApi(store);
  const { workspaces } = await api.client.listWorkspaces();
  expect(new Set(workspaces.map(({ name }) => name)).size).toBe(509);
  const { runs } = await api.client.listRuns({ limit: 2 });
  expect(runs).toHaveLength(2);
  await api.close();
});

test('what has not changed is not sent again', async () => {
  for (const url of ['/v1/runs', `/v1/runs/${encodeURIComponent(runId(1))}`, '/v1/workspaces']) {
    const first = await get(url);
    const etag = String(first.headers['etag']);
    expect([url, etag]).toEqual([url, expect.stringMatching(/^W\/"[\w-]{20,}"$/)]);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    for (const known of [etag, `"other", ${etag}`, etag.slice(2), '*']) {
      const again = await get(url, { 'if-none-match': known });
      expect([again.statusCode, again.body, again.headers['etag']]).toEqual([304, '', etag]);
    }
    expect((await get(url, { 'if-none-match': 'W/"other"' })).body).toBe(first.body);
  }
  const before = String((await get('/v1/workspaces')).headers['etag']);
  await inTenant('default', async () => {
    await store.forgetWorkspace('many-0');
  });
  expect((await get('/v1/workspaces', { 'if-none-match': before })).statusCode).toBe(200);
  expect((await get('/v1/runs/nowhere', { 'if-none-match': '*' })).statusCode).toBe(404);
});
