import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql } from 'kysely';
import type { StatsQuery } from '../../domain/contracts/stats.ts';
import { openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let api: TestApi;
const runId = 'ralph:todo-1f2e3d:due-dates';
const sessionId = 'session:one';

withTestStore((opened, own) => {
  [store, database] = [opened, own];
});

beforeAll(async () => {
  api = await startApi(store);
  await store.openRun(plan());
  const session = { sessionId, hostId: 'tiger', title: 'work', model: 'm', agent: 'build', caps: {} };
  await store.openSession({ ...session, folder: '/repository-beside' });
  await answered(runId, 1, 'anthropic/a', 0.25);
  await answered(runId, 2, 'anthropic/b', 0.5);
  await answered(runId, 3, 'anthropic/a', 0.125);
  await answered(sessionId, 1, 'anthropic/a', 1);
  await toolEnded(runId, 'write', { ok: true, durationMs: 10, files: ['src/due.js'] });
  await toolEnded(runId, 'edit', { ok: true, durationMs: 20, files: ['src/due.js', 'docs/due.md'] });
  await toolEnded(runId, 'edit', { ok: false, durationMs: 30 });
  await toolEnded(runId, 'edit', { ok: true, durationMs: 1_000, files: ['src/due.js'] });
  await toolEnded(sessionId, 'bash', { ok: true, durationMs: 500 });
});
afterAll(async () => {
  await api.close();
});

async function answered(id: string, step: number, model: string, costUsd: number): Promise<void> {
  const usage = { inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, costUsd };
  await store.answerModelCall({
    key: `${id}:${step}`,
    runId: id,
    storyId: 'US-1',
    sessionId: `${id}:s`,
    model,
    result: { kind: 'answered', stop: 'finished', toolCalls: [], usage },
    sessionEvent: { key: `${id}:${step}`, kind: 'assistant', body: { text: '', toolCalls: [] } },
    runEvents: [],
  });
}

let events = 0;
async function toolEnded(
  id: string,
  tool: string,
  ended: { readonly ok: boolean; readonly durationMs: number; readonly files?: string[] },
): Promise<void> {
  const body = { step: ++events, tool, label: `${tool} something`, ...ended };
  await store.appendRunEvents(id, [{ key: `end:${events}`, kind: 'tool-ended', storyId: 'US-1', attempt: 1, body }]);
}

const stats = async (query: Partial<StatsQuery> = {}) => await api.client.stats(query);

test('tokens, requests and cost are added up by model, the most expensive first', async () => {
  expect(await stats({ folder: ['/repo'] })).toMatchObject({
    runs: 1,
    sessions: 0,
    requests: 3,
    usage: { inputTokens: 300, outputTokens: 30, cachedInputTokens: 120, costUsd: 0.875 },
    models: [
      { model: 'anthropic/b', requests: 1, costUsd: 0.5 },
      { model: 'anthropic/a', requests: 2, inputTokens: 200, cachedInputTokens: 80, costUsd: 0.375 },
    ],
  });
});

test('tool calls are counted with their failures and durations', async () => {
  const { executions, failures, tools, recentExecutions } = await stats({ folder: ['/repo'] });
  expect([executions, failures]).toEqual([4, 1]);
  expect(tools).toMatchObject([
    { tool: 'edit', executions: 3, failures: 1, p50Ms: 30, p95Ms: 1_000, totalMs: 1_050 },
    { tool: 'write', executions: 1, failures: 0, p50Ms: 10, p95Ms: 10 },
  ]);
  expect(recentExecutions.map(({ durationMs }) => durationMs)).toEqual([1_000, 30, 20, 10]);
  expect(recentExecutions[2]).toMatchObject({
    runId,
    storyId: 'US-1',
    tool: 'edit',
    files: ['src/due.js', 'docs/due.md'],
  });
});

test('files are counted with the tools that changed them', async () => {
  const { filesModified, files, recentChanges } = await stats({ folder: ['/repo'] });
  expect(filesModified).toBe(2);
  expect(files).toMatchObject([
    { folder: '/repo', path: 'src/due.js', changes: 3, tools: ['edit', 'write'], lastTool: 'edit', lastRunId: runId },
    { folder: '/repo', path: 'docs/due.md', changes: 1, tools: ['edit'] },
  ]);
  expect(recentChanges.map(({ durationMs }) => durationMs)).toEqual([1_000, 20, 10]);
});

test('a folder whose name only begins the same is another one', async () => {
  expect(await stats()).toMatchObject({ runs: 1, sessions: 1, requests: 4, executions: 5 });
  expect(await stats({ folder: ['/repository-beside'] })).toMatchObject({ runs: 0, sessions: 1, executions: 1 });
  expect(await stats({ folder: ['/repo', '/repository-beside'] })).toMatchObject({ requests: 4 });
  expect(await stats({ folder: ['/'] })).toMatchObject({ requests: 4 });
  expect(await stats({ folder: ['/elsewhere'] })).toMatchObject({ runs: 0, requests: 0, executions: 0, models: [] });
});

test.each([
  [{ tool: 'write' }, 1, ['src/due.js']],
  [{ file: 'due.md' }, 1, ['docs/due.md']],
  [{ file: 'src' }, 3, ['src/due.js']],
  [{ file: '/repo/src/due.js' }, 3, ['src/due.js']],
  [{ file: '/repo/docs/' }, 1, ['docs/due.md']],
  [{ file: 'ue.js' }, 0, []],
  [{ since: new Date(Date.now() + 60_000).toISOString() }, 0, []],
  [{ since: new Date(Date.now() - 60_000).toISOString() }, 5, ['src/due.js', 'docs/due.md']],
] as const)('%j narrows calls and files', async (query, executions, paths) => {
  const found = await stats(query);
  expect(found.executions).toBe(executions);
  expect(found.files.map(({ path }) => path)).toEqual(paths);
});

test('lists are bounded, counts are of all', async () => {
  const found = await stats({ limit: 1 });
  expect(found).toMatchObject({ executions: 5, filesModified: 2, requests: 4 });
  expect([found.tools, found.files, found.models, found.recentExecutions].map(({ length }) => length)).toEqual([
    1, 1, 1, 1,
  ]);
});

test('a hundred thousand events are answered about in a few seconds at most, on a busy machine', async () => {
  const rows = openDatabase({ databaseUrl: database.url });
  await sql`
    INSERT INTO run_event (run_id, seq, key, kind, story_id, attempt, body, at)
    SELECT ${runId}, 1000000 + n, 'many:' || n, CASE WHEN n % 3 = 0 THEN 'tool-ended' ELSE 'step-started' END, 'US-1', 1,
           jsonb_build_object('step', n, 'tool', 'tool' || n % 12, 'label', 'x', 'ok', n % 7 <> 0, 'durationMs', n % 1000,
                              'files', jsonb_build_array('f' || n % 500)),
           now() - interval '1 day'
    FROM generate_series(1, 100000) AS n`.execute(rows);
  await sql`ANALYZE run_event`.execute(rows);
  await rows.destroy();
  const from = performance.now();
  const found = await stats();
  const tookMs = performance.now() - from;
  expect(found).toMatchObject({ executions: 33_338, filesModified: 502 });
  expect(tookMs).toBeLessThan(5_000);
});

test('usage is told by day, model and kind, and its total is that of all of them', async () => {
  const chatRun = await store.openChatRun({ principal: 'key:a', day: '2026-11-21', maxCostUsd: null });
  const usage = { inputTokens: 7, outputTokens: 3, cachedInputTokens: 0, costUsd: 0.000000001 };
  const result = { kind: 'answered', stop: 'finished', toolCalls: [], usage } as const;
  const call = { runId: chatRun, storyId: 'chat', sessionId: chatRun, model: 'anthropic/a', result };
  await store.answerChatCall({ key: 'chat:1', ...call });
  await store.answerChatCall({ key: 'chat:1', ...call });
  const behind = openDatabase({ databaseUrl: database.url });
  await sql`UPDATE model_call SET answered_at = '2026-01-02T23:59:59.9Z' WHERE key = ${`${runId}:1`}`.execute(behind);
  await behind.destroy();
  const get = async (query: string) => await api.app.inject({ method: 'GET', url: `/v1/usage${query}` });
  const day = new Date().toISOString().slice(0, 10);
  const now = (await get('')).json<{ days: object[]; total: object }>();
  expect(now.days).toEqual([
    { day, model: 'anthropic/a', kind: 'session', requests: 1, ...used(100, 10, 1) },
    { day, model: 'anthropic/b', kind: 'ralph', requests: 1, ...used(100, 10, 0.5) },
    { day, model: 'anthropic/a', kind: 'ralph', requests: 1, ...used(100, 10, 0.125) },
    { day, model: 'anthropic/a', kind: 'chat', requests: 1, ...usage },
  ]);
  expect(now.total).toMatchObject({ requests: 4, inputTokens: 307, costUsd: expect.closeTo(1.625000001, 12) });
  const then = (await get('?since=2026-01-02&until=2026-01-02')).json<{ days: object[] }>();
  expect(then.days).toEqual([
    { day: '2026-01-02', model: 'anthropic/a', kind: 'ralph', requests: 1, ...used(100, 10, 0.25) },
  ]);
  expect((await get('?since=2026-01-03&until=2026-01-03')).json()).toMatchObject({ days: [], total: { requests: 0 } });
  expect((await get('?since=2026-01-03&until=2026-01-02')).json()).toMatchObject({ days: [] });
  for (const wrong of ['?since=yesterday', '?until=0001-01-01'])
    expect([wrong, (await get(wrong)).statusCode]).toEqual([wrong, 422]);
});

function used(inputTokens: number, outputTokens: number, costUsd: number) {
  return { inputTokens, outputTokens, cachedInputTokens: 40, costUsd };
}
