import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createTaskActivities } from '../../activities/a2a/task-activities.ts';
import type { TaskActivitiesDeps } from '../../activities/a2a/task-activities.ts';
import { withTasksTold } from '../../activities/a2a/tasks-told.ts';
import type { Principal } from '../../domain/access/permissions.ts';
import type { TaskStore } from '../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { createApp } from '../../services/api/app.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { JsonRpcAnswer, SentJson, TaskJson, resultOf } from '../support/a2a-json-rpc.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { injectJsonRpc, somebody } from './a2a-fixtures.ts';
import { apiDeps } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let folder: string;
let app: Awaited<ReturnType<typeof createApp>>;
let deps: ReturnType<typeof apiDeps>;
/** Who asks next. */
let principal: Principal;

withTestStore(
  (opened, own) => {
    [store, database] = [opened, own];
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-a2a-')));
  for (const tenant of ['default', 'acme'])
    await inTenant(tenant, async () => {
      await store.nameWorkspace({ name: 'work', hostId: 'host-1', folder, createdBy: 'test' });
    });
  deps = { ...apiDeps(store), prdFolder: path.join(folder, 'prds') };
  principal = somebody('key:one');
  app = await createApp({ ...deps, defaultModel: 'openai/x', authenticate: async () => principal });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = async (
  method: string,
  params: unknown,
  options: { readonly version?: string; readonly url?: string } = {},
) => await injectJsonRpc(app, method, { params, ...options });

const message = (more: object = {}) => ({
  messageId: randomUUID(),
  role: 'ROLE_USER',
  parts: [{ text: 'do it' }],
  ...more,
});
const now = { returnImmediately: true };

async function sent(more: object = {}): Promise<TaskJson> {
  return resultOf(await call('SendMessage', { message: message(more), configuration: now }), SentJson).task;
}

const gotten = async (id: string) => resultOf(await call('GetTask', { id }), TaskJson);

async function noRun(): Promise<never> {
  throw new CodetetherError('not-found');
}

/** As the worker does it, with an engine in memory. */
function worker(engine: Partial<TaskActivitiesDeps['engine']> = {}, runs: Partial<TaskActivitiesDeps['runs']> = {}) {
  const told: string[] = [];
  const sends: string[] = [];
  const activities = createTaskActivities({
    store,
    tellPush: async () => undefined,
    engine: {
      send: async (_session, { messageId }) => sends.push(messageId),
      interrupt: async () => {
        throw new CodetetherError('session-idle');
      },
      answer: async () => undefined,
      describe: async () => ({ kind: 'running' }),
      ...engine,
    },
    runs: { startRun: noRun, getRun: noRun, steer: noRun, ...runs },
    git: createGit({ env: process.env, processDir: folder }),
    hostId: 'host-1',
  });
  const telling = withTasksTold(store, async (taskId) => void told.push(taskId));
  const look = async (taskId: string, isCanceling = false) =>
    await inTenant('default', async () => await activities.workOnTask({ taskId, isCanceling }));
  return { look, telling, told, sends };
}

const record = async (taskId: string) => {
  const task = await inTenant('default', async () => await store.getTask(taskId));
  if (task === undefined) throw new Error('there is no task');
  return task;
};

async function turn(taskId: string) {
  const { work } = await record(taskId);
  if (work.executor !== 'agent') throw new Error('it is no turn');
  return work;
}

/** The turn of a task has begun. */
async function begin(taskId: string): Promise<string> {
  const { opening, message: said } = await turn(taskId);
  const { sessionId } = opening;
  const { messageId, agent, model } = said;
  const plan = { sessionId, messageId, agent, model, systemPrompt: '', agentNotice: '', text: 'do it' };
  await inTenant('default', async () => await store.openTurn(plan));
  return sessionId;
}

async function end(telling: Pick<PostgresStore, 'endTurn'>, taskId: string, outcome: 'completed' | 'cancelled') {
  const { opening } = await turn(taskId);
  const input = { messageId: taskId, turn: 1, outcome, message: '', code: null, durationMs: 1, goesOn: false };
  await inTenant('default', async () => {
    const facts = { changes: { total: 1, files: [{ path: 'a.txt', change: 'added' as const }] } };
    await telling.endTurn({ sessionId: opening.sessionId, ...input }, facts);
  });
}

test('what is not right is answered in JSON-RPC with the code of its fault, whatever it is', async () => {
  const raw = async (payload: string, headers: object = {}) => {
    const response = await app.inject({
      method: 'POST',
      url: '/a2a/jsonrpc',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0', ...headers },
      payload,
    });
    return JsonRpcAnswer.parse(response.json()).error?.code;
  };
  const request = (method: unknown, params: unknown = {}) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  expect(await raw('{')).toBe(-32700);
  expect(await raw('')).toBe(-32700);
  expect(await raw('[]')).toBe(-32600);
  expect(await raw('null')).toBe(-32600);
  expect(await raw('{"method":"GetTask","id":1}')).toBe(-32600);
  expect(await raw(request(7))).toBe(-32600);
  expect(await raw('{"jsonrpc":"2.0","method":"GetTask","id":{},"params":{}}')).toBe(-32600);
  expect(await raw(request('Nothing'))).toBe(-32601);
  expect(await raw(request('GetTask', [])).then((code) => code)).toBe(-32602);
  expect(await raw(request('GetTask', { id: randomUUID() }))).toBe(-32001);
  expect(await raw(request('GetTask', { id: 'no uuid' }))).toBe(-32001);
  expect(await raw(request('GetTask', { id: 'a\0b' }))).toBe(-32602);
  expect(await raw(request('GetTask', { id: randomUUID(), historyLength: -1 }))).toBe(-32602);
  expect(await raw(request('GetTask', { id: randomUUID(), history_length: -1 }))).toBe(-32602);
  expect(await raw(request('ListTaskPushNotificationConfigs', { task_id: randomUUID() }))).toBe(-32001);
  expect(await raw(request('ListTasks', { pageSize: 0 }))).toBe(-32602);
  expect(await raw(request('ListTasks', { pageToken: 'elsewhere' }))).toBe(-32602);
  for (const wrong of [
    undefined,
    message({ parts: [] }),
    message({ parts: undefined }),
    message({ parts: [{}] }),
    message({ role: undefined }),
    message({ role: 'ROLE_UNSPECIFIED' }),
    message({ messageId: '' }),
    message({ metadata: { workspace: 'nowhere' } }),
  ])
    expect(await raw(request('SendMessage', { message: wrong })), JSON.stringify(wrong)).toBe(-32602);
  expect(await raw(request('SendMessage', { message: message({ parts: [{ raw: 'aGk=' }] }) }))).toBe(-32005);
  expect(await raw(request('SendMessage', { message: message({ taskId: randomUUID() }) }))).toBe(-32001);
  expect(await raw(request('CreateTaskPushNotificationConfig', { taskId: 'x', url: 'https://example.com' }))).toBe(
    -32001,
  );
  expect(await raw(request('CreateTaskPushNotificationConfig', { taskId: 'x' }))).toBe(-32602);
  expect(await raw(request('GetTaskPushNotificationConfig', { taskId: 'x' }))).toBe(-32602);
  expect(await raw(request('GetTask', { id: randomUUID() }), { 'content-type': 'text/plain' })).toBe(-32005);
  expect(await raw(request('GetTask', { id: randomUUID() }), { 'a2a-version': '2.0' })).toBe(-32009);
  expect(await raw(request('GetTask', { id: randomUUID() }), { 'a2a-version': '1.0.1' })).toBe(-32001);
  // Absent is 0.3, with its own names.
  expect(await raw(request('tasks/get', { id: randomUUID() }), { 'a2a-version': '' })).toBe(-32001);
  expect(
    await raw(request('message/send', { message: { ...message(), role: 'user', parts: [] } }), {
      'a2a-version': '0.3',
    }),
  ).toBe(-32602);
});

test('an error names the request that it answers, and comes as a stream to who of 0.3 has asked for one', async () => {
  const post = async (payload: object, version: string) =>
    await app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json', 'a2a-version': version },
      payload: JSON.stringify(payload),
    });
  expect((await post({ jsonrpc: '1.0', id: 'seven', method: 'GetTask' }, '1.0')).json()).toMatchObject({ id: 'seven' });
  const missing = { jsonrpc: '2.0', id: 7, params: { id: randomUUID() } };
  const legacy = await post({ ...missing, method: 'tasks/resubscribe' }, '0.3');
  expect(legacy.headers['content-type']).toContain('text/event-stream');
  expect(JSON.parse(legacy.body.replace('data: ', ''))).toMatchObject({ id: 7, error: { code: -32001 } });
  const current = await post({ ...missing, method: 'SubscribeToTask' }, '1.0');
  expect(current.json()).toMatchObject({ id: 7, error: { code: -32001 } });
});

test('a send of 0.3 that does not say that it waits does not; the same message twice is one task', async () => {
  const said = { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text: 'do it' }] };
  const one = resultOf(await call('message/send', { message: said }, { version: '0.3' }), TaskJson);
  expect(one).toMatchObject({ kind: 'task', status: { state: 'submitted' } });
  const two = resultOf(await call('message/send', { message: said }, { version: '0.3', url: '/v1/a2a' }), TaskJson);
  expect(two.id).toBe(one.id);
  // Started a second time in case whoever wrote it died before; that is harmless.
  expect(deps.engine.tasks.filter(([taskId]) => taskId === one.id)).toEqual([
    [one.id, 'look'],
    [one.id, 'look'],
  ]);
});

test('a task is seen by whoever sent it and by nobody else, of the same tenant or another; a reader cannot send', async () => {
  const task = await sent();
  for (const other of [somebody('key:two'), somebody('key:one', 'acme')]) {
    principal = other;
    expect((await call('GetTask', { id: task.id })).error?.code).toBe(-32001);
    expect((await call('CancelTask', { id: task.id })).error?.code).toBe(-32001);
    expect((await call('SubscribeToTask', { id: task.id })).error?.code).toBe(-32001);
    expect((await call('ListTasks', {})).result).toMatchObject({ tasks: [], totalSize: 0 });
  }
  principal = somebody('key:one', 'default', ['runs:read']);
  const headers = { 'content-type': 'application/json', 'a2a-version': '1.0' };
  const payload = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message: message() } };
  const denied = await app.inject({ method: 'POST', url: '/', headers, payload: JSON.stringify(payload) });
  expect([denied.statusCode, denied.json<{ code: string }>().code]).toEqual([403, 'permission-denied']);
  principal = somebody('key:one');
});

const Page = z.looseObject({ tasks: z.array(TaskJson), nextPageToken: z.string(), totalSize: z.number() });

test('tasks are listed in pages by what they came to last, without one twice or none, by state, context and time', async () => {
  principal = somebody('key:lister');
  const ids = [];
  for (let count = 0; count < 5; count++) ids.push((await sent(count < 2 ? { contextId: 'c-1' } : {})).id);
  const seen: string[] = [];
  for (let pageToken = ''; ;) {
    const page = resultOf(await call('ListTasks', { pageSize: 2, pageToken }), Page);
    expect(page.totalSize).toBe(5);
    seen.push(...page.tasks.map(({ id }) => id));
    if (page.nextPageToken === '') break;
    pageToken = page.nextPageToken;
  }
  expect(seen).toEqual(ids.toReversed());
  const total = async (filter: object) => resultOf(await call('ListTasks', filter), Page).totalSize;
  expect(await total({ contextId: 'c-1' })).toBe(2);
  expect(await total({ status: 'TASK_STATE_SUBMITTED' })).toBe(5);
  expect(await total({ status: 'TASK_STATE_COMPLETED' })).toBe(0);
  const { statusAt } = await record(ids[2] ?? '');
  expect(await total({ statusTimestampAfter: statusAt.toISOString() })).toBeGreaterThanOrEqual(3);
  principal = somebody('key:one');
});

test('the work of a task is handed over until it has begun, its end is its result, once', async () => {
  const { look, telling, told, sends } = worker();
  const task = await sent();
  await look(task.id);
  await look(task.id);
  expect(sends).toEqual([task.id, task.id]);
  expect((await gotten(task.id)).status.state).toBe('TASK_STATE_WORKING');
  await begin(task.id);
  await look(task.id);
  expect(sends).toHaveLength(2);
  await end(telling, task.id, 'completed');
  expect(told).toEqual([task.id]);
  expect([await look(task.id), await look(task.id)]).toEqual([{ isOver: true }, { isOver: true }]);
  const done = await gotten(task.id);
  expect(done).toMatchObject({ status: { state: 'TASK_STATE_COMPLETED' }, artifacts: [{ artifactId: 'changes' }] });
  expect((await call('CancelTask', { id: task.id })).error?.code).toBe(-32002);
  expect((await call('SubscribeToTask', { id: task.id })).error?.code).toBe(-32004);
  expect((await call('SendMessage', { message: message({ taskId: task.id }) })).error?.code).toBe(-32004);
});

test('a question waits for its own answer: from whom may give it, one of its choices, once', async () => {
  const answers: unknown[] = [];
  const { look, telling } = worker({ answer: async (workflowId, answer) => void answers.push([workflowId, answer]) });
  const task = await sent();
  await look(task.id);
  const sessionId = await begin(task.id);
  const approvalId = `q-${randomUUID().slice(0, 6)}`;
  const approval = {
    approvalId,
    runId: sessionId,
    workflowId: sessionId,
    storyId: 'main',
    kind: 'tool-risk',
    question: 'May it push?',
    choices: ['approve', 'deny'],
    defaultChoice: 'deny',
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
  } as const;
  await inTenant('default', async () => await telling.requestApproval(approval));
  await look(task.id);
  await look(task.id);
  const asked = await gotten(task.id);
  expect(asked.status.state).toBe('TASK_STATE_AUTH_REQUIRED');
  expect(JSON.stringify(asked.status.message)).toContain('May it push?');
  const answer = async (text: string) =>
    await call('SendMessage', { message: message({ taskId: task.id, parts: [{ text }] }), configuration: now });
  expect((await answer('maybe')).error?.code).toBe(-32602);
  principal = somebody('key:one', 'default', ['runs:read', 'runs:write']);
  expect((await answer('approve')).error?.message).toContain('approvals:answer');
  principal = somebody('key:one');
  expect((await answer('approve')).error).toBeUndefined();
  const { telling: settling } = worker();
  const given = worker({
    answer: async (workflowId, each) => {
      answers.push([workflowId, each]);
      await settling.settleApproval({ ...approval, state: 'answered', answer: each.choice, answeredBy: 'x', note: '' });
    },
  });
  await given.look(task.id);
  await given.look(task.id);
  expect(answers).toEqual([[sessionId, { approvalId, choice: 'approve', note: '', answeredBy: 'key:one' }]]);
  expect((await gotten(task.id)).status.state).toBe('TASK_STATE_WORKING');
  await end(telling, task.id, 'cancelled');
  await look(task.id);
  expect((await gotten(task.id)).status.state).toBe('TASK_STATE_CANCELED');
});

test('a task that is canceled before it began never begins; one whose work was lost with its workflow has failed', async () => {
  const early = await sent();
  const { look, sends } = worker();
  expect(await look(early.id, true)).toEqual({ isOver: true });
  expect([sends, (await gotten(early.id)).status.state]).toEqual([[], 'TASK_STATE_CANCELED']);
  const lost = await sent();
  await look(lost.id);
  await begin(lost.id);
  const after = worker({ describe: async () => ({ kind: 'closed' }) });
  expect(await after.look(lost.id)).toEqual({ isOver: true });
  expect((await gotten(lost.id)).status.state).toBe('TASK_STATE_FAILED');
});

test('a run that works for a task is begun under one key, and only what its execution did is told, once', async () => {
  const run = plan();
  principal = somebody('key:ralph');
  const prd = { project: 'x', feature: 'y', user_stories: [{ id: 'US-1', title: 't', description: 'd' }] };
  const { id } = await sent({ parts: [{ data: prd }], metadata: { skill: 'ralph' } });
  const keys: string[] = [];
  const inDefault = async <T>(work: () => Promise<T>): Promise<T> => await inTenant('default', work);
  const execution = await inDefault(async () => await store.openRun(run));
  const opened = (await inDefault(async () => await store.getRun(run.runId)))?.openedSeq ?? 0;
  const view = {
    runId: run.runId,
    passed: 0,
    total: 1,
    branch: 'b',
    base: null,
    hostId: 'x',
    approvals: [],
    stories: [],
  };
  let fails = true;
  const { look, telling, told } = worker(
    {},
    {
      startRun: async (_request, { idempotencyKey }) => {
        keys.push(idempotencyKey);
        if (fails) throw new CodetetherError('api-unreachable');
        return { kind: 'started', run: view, afterSeq: opened } as never;
      },
      getRun: async () => ({ ...view, status: 'running' }) as never,
    },
  );
  await expect(look(id)).rejects.toThrow();
  fails = false;
  await look(id);
  await look(id);
  expect(keys).toEqual([`task:${id}`, `task:${id}`]);
  const end = { runId: run.runId, execution, message: '', tip: null, commits: 2, durationMs: 1 } as const;
  await inDefault(async () => await telling.finishRun({ ...end, outcome: 'completed' }));
  expect(told).toEqual([id]);
  const next = await inDefault(async () => await store.openRun(run));
  await inDefault(async () => await store.finishRun({ ...end, execution: next, outcome: 'cancelled' }));
  expect(await look(id)).toEqual({ isOver: true });
  const done = await gotten(id);
  expect(done.status.state).toBe('TASK_STATE_COMPLETED');
  expect(JSON.stringify(done.history).match(/ started: /g)).toHaveLength(1);
  expect(JSON.stringify(done.artifacts)).toContain('2 commits on');
  principal = somebody('key:one');
});

test('the same PRD sent with two tasks is one file, so that the second follows the run of the first; what is no PRD is not kept', async () => {
  const story = { id: 'US-1', title: 't', description: 'd' };
  const pathOf = async (feature: string): Promise<string> => {
    const prd = { project: 'x', feature, user_stories: [story] };
    const { work } = await record((await sent({ parts: [{ data: prd }], metadata: { skill: 'ralph' } })).id);
    return work.executor === 'ralph' ? work.request.prdPath : '';
  };
  const feature = randomUUID();
  const first = await pathOf(feature);
  expect(JSON.parse(readFileSync(first, 'utf8'))).toMatchObject({ feature });
  expect(await pathOf(feature)).toBe(first);
  expect(await pathOf(randomUUID())).not.toBe(first);
  const before = readdirSync(deps.prdFolder).length;
  const bad = message({ parts: [{ data: { project: 'x' } }], metadata: { skill: 'ralph' } });
  expect((await call('SendMessage', { message: bad })).error?.code).toBe(-32602);
  expect(readdirSync(deps.prdFolder)).toHaveLength(before);
});

test('nothing comes after the end of a task, and an event comes once', async () => {
  const { id } = await sent();
  const append: TaskStore['appendTaskEvents'] = async (...given) =>
    await inTenant('default', async () => await store.appendTaskEvents(...given));
  const status = (key: string, state: 'working' | 'failed' | 'completed') =>
    ({ key, kind: 'status', body: { state } }) as const;
  await append(id, [status('a', 'working'), status('a', 'working')]);
  await Promise.all([append(id, [status('end', 'failed')]), append(id, [status('end', 'completed')])]);
  const before = (await record(id)).headSeq;
  await append(id, [status('late', 'working')]);
  expect((await record(id)).headSeq).toBe(before);
  const events = await inTenant('default', async () => await store.readTaskEvents(id, { afterSeq: 0 }));
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test('the card says who is there in both versions, to anybody, and does not come twice', async () => {
  const read = async (headers: object = {}, url = '/.well-known/agent-card.json') =>
    await app.inject({ method: 'GET', url, headers: { host: 'a.example:4096', ...headers } });
  const hybrid = await read();
  expect(hybrid.json()).toMatchObject({
    url: 'http://a.example:4096/a2a/jsonrpc',
    protocolVersion: '0.3.0',
    preferredTransport: 'JSONRPC',
    supportedInterfaces: [
      { protocolVersion: '1.0', protocolBinding: 'JSONRPC' },
      { protocolVersion: '1.0', protocolBinding: 'HTTP+JSON', url: 'http://a.example:4096' },
      { protocolVersion: '0.3', protocolBinding: 'JSONRPC' },
      { protocolVersion: '0.3', protocolBinding: 'HTTP+JSON', url: 'http://a.example:4096' },
    ],
    additionalInterfaces: [{ transport: 'JSONRPC' }, { transport: 'HTTP+JSON' }],
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', httpAuthSecurityScheme: { scheme: 'Bearer' } } },
  });
  expect((await read({}, '/.well-known/agent.json')).body).toBe(hybrid.body);
  const pure = await read({ 'a2a-version': '1.0' });
  expect(pure.json()).not.toHaveProperty('url');
  expect(pure.json()).not.toHaveProperty('protocolVersion');
  expect(pure.headers).toMatchObject({ vary: 'A2A-Version, Host', 'last-modified': expect.any(String) });
  expect(pure.headers.etag).not.toBe(hybrid.headers.etag);
  expect((await read({ 'if-none-match': hybrid.headers.etag })).statusCode).toBe(304);
  expect(hybrid.body).not.toContain('work,');
  const extended = await call('GetExtendedAgentCard', {});
  expect(JSON.stringify(extended.result)).toContain('one of the workspaces work');
});

test('all who follow a task on two replicas see the same, in order, and leave nothing behind', async () => {
  const other = createStore({ databaseUrl: database.url, tenant: currentTenant });
  const replicas = await Promise.all(
    [store, other].map(async (own) => {
      const options = { ...apiDeps(own), pingMs: 50, authenticate: async () => somebody('key:one') };
      const replica = await createApp(options);
      return { replica, url: await replica.listen({ host: '127.0.0.1', port: 0 }) };
    }),
  );
  const { id } = await sent();
  const follow = async (url: string) =>
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SubscribeToTask', params: { id } }),
    });
  const urls = Array.from({ length: 20 }, (_, index) => replicas[index % 2]?.url ?? '');
  const readers = await Promise.all(urls.map(async (url) => await follow(url)));
  const append = async (key: string, state: 'working' | 'completed') =>
    await inTenant('default', async () => {
      await store.appendTaskEvents(id, [{ key, kind: 'status', body: { state } }]);
    });
  for (let count = 0; count < 30; count++) await append(`step ${count}`, 'working');
  await append('end', 'completed');
  const told = await Promise.all(readers.map(async (reader) => await reader.text()));
  const events = told.map((text) => text.split('\n\n').filter((part) => part.startsWith('data: ')));
  for (const each of events) expect(each.length === 32 && each.at(-1)?.includes('TASK_STATE_COMPLETED')).toBe(true);
  for (const each of events) expect(each.slice(1)).toEqual(events[0]?.slice(1));
  // The connection is kept for whoever may come next, a while.
  await expect.poll(async () => await listeners(), { timeout: 10_000 }).toBe(0);
  await Promise.all(replicas.map(async ({ replica }) => await replica.close()));
  await other.close();
});

async function listeners(): Promise<number> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM pg_stat_activity
       WHERE datname = current_database() AND query IN ('LISTEN a2a_task_event', 'SELECT 1')`,
    );
    return rows[0]?.count ?? 0;
  } finally {
    await client.end();
  }
}
