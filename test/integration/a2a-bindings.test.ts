import { randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ListTasksRequest, Role, SendMessageRequest, TaskState } from '@a2a-js/sdk';
import type { StreamResponse, Task } from '@a2a-js/sdk';
import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import { Metadata, credentials, makeGenericClientConstructor, status } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceDefinition, ServiceError } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CodetetherError } from '../../domain/errors.ts';
import type { Authenticate } from '../../services/api/permissions.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { bindingClient, legacyBindingClient, tokenInterceptor, withToken } from '../support/a2a-clients.ts';
import type { Binding } from '../support/a2a-clients.ts';
import { withTestStore } from '../support/store.ts';
import { serveBindings, somebody } from './a2a-fixtures.ts';
import type { TestBindings } from './a2a-fixtures.ts';

const bindings: readonly Binding[] = ['HTTP+JSON', 'GRPC'];
const callers = { one: somebody('key:one'), two: somebody('key:two'), acme: somebody('key:one', 'acme') };

/** A caller's name is its credential. */
const authenticateByName: Authenticate = async ({ headers }) => {
  const name = headers.authorization?.slice('Bearer '.length) ?? '';
  const found = Object.entries(callers).find(([known]) => known === name)?.[1];
  if (found === undefined) throw new CodetetherError('unauthenticated');
  return found;
};

let store: PostgresStore;
let folder: string;
let served: TestBindings;

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-bindings-')));
  for (const tenant of ['default', 'acme'])
    await inTenant(tenant, async () => {
      await store.nameWorkspace({ name: 'work', hostId: 'host-1', folder, createdBy: 'test' });
    });
  served = await serveBindings(store, {
    pingMs: 50,
    authenticate: authenticateByName,
  });
});
afterAll(async () => {
  await served.close();
  rmSync(folder, { recursive: true, force: true });
});

const clientOf = async (binding: Binding, token = 'one') => await bindingClient({ url: served.url, token, binding });
const legacyClientOf = async (binding: Binding, token = 'one') =>
  await legacyBindingClient({ url: served.url, token, binding });

const request = (more: { messageId?: string; taskId?: string } = {}) => ({
  tenant: '',
  message: {
    messageId: more.messageId ?? randomUUID(),
    contextId: '',
    taskId: more.taskId ?? '',
    role: Role.ROLE_USER,
    parts: [{ content: { $case: 'text' as const, value: 'do it' }, metadata: undefined, filename: '', mediaType: '' }],
    metadata: { workspace: 'work' },
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: true },
  metadata: undefined,
});

/** What happens to a task, as the worker writes it. */
async function append(taskId: string, key: string, state: 'working' | 'completed'): Promise<void> {
  await inTenant(
    'default',
    async () => await store.appendTaskEvents(taskId, [{ key, kind: 'status', body: { state } }]),
  );
}

async function sent(binding: Binding, messageId?: string): Promise<Task> {
  const answer = await (await clientOf(binding)).sendMessage(request(messageId === undefined ? {} : { messageId }));
  if (!('status' in answer)) throw new Error('it is no task');
  return answer;
}

const states = (events: readonly StreamResponse[]) =>
  events.map(({ payload }) =>
    payload?.$case === 'task' || payload?.$case === 'statusUpdate' ? TaskState[payload.value.status?.state ?? 0] : '',
  );

test.each(bindings)('a client of 1.0 over %s sends, gets, lists, follows and cancels a task', async (binding) => {
  const client = await clientOf(binding);
  const task = await sent(binding);
  expect(task.status?.state).toBe(TaskState.TASK_STATE_SUBMITTED);
  expect((await client.getTask({ tenant: '', id: task.id })).id).toBe(task.id);
  const list = await client.listTasks({
    tenant: '',
    contextId: task.contextId,
    status: TaskState.TASK_STATE_UNSPECIFIED,
    pageSize: 10,
    pageToken: '',
    statusTimestampAfter: undefined,
  });
  expect([list.tasks.map(({ id }) => id), list.totalSize, list.nextPageToken]).toEqual([[task.id], 1, '']);
  const seen: StreamResponse[] = [];
  for await (const event of client.resubscribeTask({ tenant: '', id: task.id })) {
    seen.push(event);
    if (seen.length === 1) await append(task.id, 'a', 'working');
    if (seen.length === 2) await append(task.id, 'end', 'completed');
  }
  expect(states(seen)).toEqual(['TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']);
  await expect(client.cancelTask({ tenant: '', id: task.id, metadata: undefined })).rejects.toThrow('completed');
  expect((await client.getAgentCard()).supportedInterfaces.map((each) => each.protocolBinding)).toContain(binding);
});

test.each(bindings)('a client of 0.3 over %s sends, gets, follows and is told as 0.3 tells', async (binding) => {
  const client = await legacyClientOf(binding);
  const message = {
    kind: 'message' as const,
    messageId: randomUUID(),
    role: 'user' as const,
    parts: [{ kind: 'text' as const, text: 'do it' }],
    metadata: { workspace: 'work' },
  };
  const task = await client.sendMessage({ message, configuration: { blocking: false } });
  if (task.kind !== 'task') throw new Error('it is no task');
  expect(task.status.state).toBe('submitted');
  expect(await client.getTask({ id: task.id })).toMatchObject({
    history: [{ parts: [{ kind: 'text', text: 'do it' }] }],
  });
  const seen = [];
  for await (const event of client.resubscribeTask({ id: task.id })) {
    seen.push(event);
    if (seen.length === 1) await append(task.id, 'a', 'working');
    if (seen.length === 2) await append(task.id, 'end', 'completed');
  }
  expect(seen).toMatchObject([
    { kind: 'task', status: { state: 'submitted' } },
    { kind: 'status-update', final: false, status: { state: 'working' } },
    { kind: 'status-update', final: true, status: { state: 'completed' } },
  ]);
  await expect(client.cancelTask({ id: task.id })).rejects.toThrow('completed');
});

/** A call as it is, by any service that has the messages of `definition`. */
function grpcClient(
  definition: ServiceDefinition,
  { token = 'one', port = served.grpc.port }: { readonly token?: string; readonly port?: number } = {},
) {
  const Client = makeGenericClientConstructor(definition, 'raw');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    interceptors: token === '' ? [] : [tokenInterceptor(token)],
  });
  open.push(client);
  return async (name: string, asked: object, headers: Record<string, string> = {}): Promise<GrpcAnswer> =>
    await new Promise((resolve) => {
      const metadata = Metadata.fromHttp2Headers(headers);
      const call = Reflect.get(client, name) as (...given: unknown[]) => ClientReadableStream<object>;
      const told = (error: ServiceError | null, value?: object): void =>
        resolve({ code: error?.code ?? status.OK, error, value });
      if (definition[name]?.responseStream !== true) call.call(client, asked, metadata, told);
      else
        call
          .call(client, asked, metadata)
          .on('data', () => undefined)
          .on('error', told)
          .on('end', () => told(null));
    });
}

interface GrpcAnswer {
  readonly code: status;
  readonly error: ServiceError | null;
  readonly value: unknown;
}

const open: { close(): void }[] = [];
afterAll(() => open.forEach((client) => client.close()));

/** The shapes of 1.0 for REST and gRPC alike: what is wrong with them is the same. */
const wrongMessages = [
  undefined,
  { messageId: 'm', role: 'ROLE_USER', parts: [] },
  { messageId: 'm', role: 'ROLE_USER' },
  { messageId: 'm', role: 'ROLE_USER', parts: [{}] },
  { messageId: 'm', parts: [{ text: 'x' }] },
  { messageId: '', role: 'ROLE_USER', parts: [{ text: 'x' }] },
  { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'x' }], metadata: { workspace: 'nowhere' } },
];

test('what is not right is answered over gRPC with the status of its fault, and says why', async () => {
  const call = grpcClient(A2AService);
  const codeOf = async (name: string, asked: object, headers?: Record<string, string>) =>
    (await call(name, asked, headers)).code;
  for (const message of wrongMessages)
    for (const name of ['sendMessage', 'sendStreamingMessage'])
      expect(await codeOf(name, SendMessageRequest.fromJSON({ message })), JSON.stringify(message)).toBe(
        status.INVALID_ARGUMENT,
      );
  const id = randomUUID();
  expect(await codeOf('getTask', { tenant: '', id, historyLength: -1 })).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf('getTask', { tenant: '', id: '' })).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf('listTasks', ListTasksRequest.fromJSON({ pageSize: 1000 }))).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf('subscribeToTask', { tenant: '', id })).toBe(status.NOT_FOUND);
  const missing = await call('getTask', { tenant: '', id });
  expect(missing.code).toBe(status.NOT_FOUND);
  const [details] = missing.error?.metadata.get('grpc-status-details-bin') ?? [];
  expect(String(details)).toContain('TASK_NOT_FOUND');
  expect(JSON.stringify(missing.error?.metadata.getMap())).not.toContain('.ts:');
  const raw = SendMessageRequest.fromJSON({ message: { messageId: 'm', role: 'ROLE_USER', parts: [{ raw: 'aGk=' }] } });
  expect((await call('sendMessage', raw)).error?.message).toContain('INVALID_ARGUMENT');
  expect(await codeOf('getTask', { tenant: '', id }, { 'a2a-version': '2.0' })).toBe(status.FAILED_PRECONDITION);
  expect(await codeOf('getTask', { tenant: '', id }, { 'a2a-version': '0.3' })).toBe(status.FAILED_PRECONDITION);
  expect(await codeOf('getTask', { tenant: '', id }, { 'a2a-version': '1.0.1' })).toBe(status.NOT_FOUND);
  const old = grpcClient(LegacyA2AService);
  expect((await old('getTask', { name: 'nothing', historyLength: 0 })).code).toBe(status.INVALID_ARGUMENT);
  expect((await old('getTask', { name: `tasks/${id}`, historyLength: -1 })).code).toBe(status.INVALID_ARGUMENT);
  expect((await old('taskSubscription', { name: `tasks/${id}` })).code).toBe(status.NOT_FOUND);
  const empty = {
    messageId: 'm',
    contextId: '',
    taskId: '',
    role: 1,
    content: [],
    metadata: undefined,
    extensions: [],
  };
  for (const name of ['sendMessage', 'sendStreamingMessage'])
    expect((await old(name, { request: empty, configuration: undefined, metadata: undefined })).code).toBe(3);
  const parts = [{ part: { $case: 'text', value: 'x' } }];
  for (const wrong of [
    { request: { ...empty, content: parts, role: 0 }, configuration: undefined, metadata: undefined },
    { request: { ...empty, content: parts, messageId: '' }, configuration: undefined, metadata: undefined },
    {
      request: { ...empty, content: parts },
      configuration: { acceptedOutputModes: [], historyLength: -1, blocking: false },
      metadata: undefined,
    },
  ])
    expect((await old('sendMessage', wrong)).code, JSON.stringify(wrong)).toBe(status.INVALID_ARGUMENT);
});

test('what is no message, or too large a one, or a too deep one, harms nobody', async () => {
  const bytes = {
    getTask: {
      ...A2AService.getTask,
      requestSerialize: (value: { readonly bytes: Buffer }) => value.bytes,
    },
    sendMessage: {
      ...A2AService.sendMessage,
      requestSerialize: (value: { readonly bytes: Buffer }) => value.bytes,
    },
  } as unknown as ServiceDefinition;
  const call = grpcClient(bytes);
  expect((await call('getTask', { bytes: Buffer.from('ffffffff', 'hex') })).code).toBe(status.INVALID_ARGUMENT);
  expect((await call('getTask', { bytes: Buffer.alloc(5 * 1024 * 1024) })).code).toBe(status.RESOURCE_EXHAUSTED);
  expect((await call('sendMessage', { bytes: deepRequest(100_000) })).code).toBe(status.INVALID_ARGUMENT);
  expect((await grpcClient(A2AService)('getTask', { tenant: '', id: randomUUID() })).code).toBe(status.NOT_FOUND);
});

/** A message whose metadata holds that many lists in each other. */
function deepRequest(levels: number): Buffer {
  const sizes: number[] = [0];
  for (let level = 1; level < levels; level++) {
    const inner = sizes[level - 1] ?? 0;
    const list = 1 + varint(inner).length + inner;
    sizes.push(1 + varint(list).length + list);
  }
  const parts: Buffer[] = [];
  for (let level = levels - 1; level > 0; level--) {
    const inner = sizes[level - 1] ?? 0;
    const list = 1 + varint(inner).length + inner;
    // Value.list_value, ListValue.values
    parts.push(Buffer.from([0x32, ...varint(list), 0x0a, ...varint(inner)]));
  }
  const value = Buffer.concat(parts);
  const entry = Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12, ...varint(value.length)]), value]);
  const struct = Buffer.concat([Buffer.from([0x0a, ...varint(entry.length)]), entry]);
  return Buffer.concat([Buffer.from([0x22, ...varint(struct.length)]), struct]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

test('what is not right is answered over REST with the status of its fault, in the form of its version', async () => {
  const ask = async (url: string, init: RequestInit & { readonly method: string }) => {
    const response = await withToken('one')(`${served.url}${url}`, init);
    return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
  };
  const post = async (url: string, body: unknown, headers: Record<string, string> = {}) =>
    await ask(url, {
      method: 'POST',
      headers: { 'content-type': 'application/a2a+json', 'a2a-version': '1.0', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const get = async (url: string, headers: Record<string, string> = { 'a2a-version': '1.0' }) =>
    await ask(url, { method: 'GET', headers });
  const id = randomUUID();
  for (const message of wrongMessages)
    for (const url of ['/message:send', '/a2a/rest/message:send', '/message:stream'])
      expect((await post(url, { message })).status, JSON.stringify(message)).toBe(400);
  for (const body of ['{', '[]', '7', `${'['.repeat(100)}${']'.repeat(100)}`])
    expect((await post('/message:send', body)).status, body).toBe(400);
  const missing = await get(`/tasks/${id}`);
  expect([missing.status, missing.type]).toEqual([404, 'application/a2a+json']);
  expect(JSON.parse(missing.body)).toMatchObject({
    error: { code: 404, status: 'NOT_FOUND', details: [{ reason: 'TASK_NOT_FOUND', domain: 'a2a-protocol.org' }] },
  });
  expect((await get(`/tasks/${id}?historyLength=-1`)).status).toBe(400);
  expect((await get('/tasks?pageSize=0')).status).toBe(400);
  expect((await get('/tasks?pageSize=many')).status).toBe(400);
  expect((await get('/tasks?pageToken=elsewhere')).status).toBe(400);
  expect((await get(`/tasks/${id}:subscribe`)).status).toBe(404);
  expect((await post(`/tasks/${id}:subscribe`, '')).status).toBe(404);
  expect((await post(`/tasks/${id}:cancel`, '')).status).toBe(404);
  expect((await post(`/tasks/${id}:cancel`, 'null')).status).toBe(404);
  expect((await post('/message:send', {}, { 'content-type': 'text/plain' })).status).toBe(400);
  expect((await post('/message:send', {}, { 'a2a-version': '2.0' })).body).toContain('VERSION_NOT_SUPPORTED');
  expect((await get(`/tasks/${id}`, { 'a2a-version': '0.3' })).body).toContain('-32009');
  const old = await get(`/v1/tasks/${id}`, {});
  expect([old.status, old.type, JSON.parse(old.body)]).toEqual([
    404,
    'application/json',
    { code: -32001, message: `task not found: ${id}` },
  ]);
  expect((await get(`/v1/tasks/${id}?historyLength=-1`, {})).status).toBe(400);
  const oldPost = async (body: object) => await post('/v1/message:send', body, { 'a2a-version': '' });
  expect((await oldPost({ message: { messageId: 'm', role: 'ROLE_USER', content: [] } })).status).toBe(400);
  expect((await oldPost({ message: { messageId: 'm', content: [{ text: 'x' }] } })).status).toBe(400);
  expect((await oldPost({ message: 7 })).status).toBe(400);
  expect((await oldPost({})).status).toBe(400);
  for (const url of ['/v1/card', '/extendedAgentCard'])
    expect((await get(url, {})).body).toContain('one of the workspaces work');
});

test("0.3's message is taken by each of the names that its peers give it; the original's REST takes that of JSON-RPC", async () => {
  const post = async (url: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const response = await withToken('one')(`${served.url}${url}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    return (await response.json()) as { readonly task?: object; readonly kind?: string; readonly id: string };
  };
  const said = () => ({
    messageId: randomUUID(),
    role: 'ROLE_USER',
    content: [{ text: 'do it' }],
    metadata: { workspace: 'work' },
  });
  expect((await post('/v1/message:send', { message: said() })).task).toMatchObject({
    status: { state: 'TASK_STATE_SUBMITTED' },
  });
  expect((await post('/v1/message:send', { request: said() })).task).toBeDefined();
  const { messageId, metadata } = said();
  const original = { kind: 'message', messageId, metadata, role: 'user', parts: [{ kind: 'text', text: 'do it' }] };
  const task = await post('/a2a/rest/message:send', { message: original });
  expect(task).toMatchObject({ kind: 'task', status: { state: 'submitted' } });
  const gotten = await withToken('one')(`${served.url}/a2a/rest/tasks/${task.id}`);
  expect(await gotten.json()).toMatchObject({ kind: 'task', id: task.id });
});

test('the calls of 0.3 are answered by the name of the service in the original as well, and its card is the card', async () => {
  const alias = Object.fromEntries(
    Object.entries(LegacyA2AService).map(([name, each]) => [
      name,
      { ...each, path: each.path.replace('A2AService', 'A2aService') },
    ]),
  ) as unknown as ServiceDefinition;
  for (const definition of [alias, LegacyA2AService as unknown as ServiceDefinition]) {
    const call = grpcClient(definition);
    const task = await sent('GRPC');
    const { value } = await call('getTask', { name: `tasks/${task.id}`, historyLength: 0 });
    expect(value).toMatchObject({ id: task.id, history: [{ content: [{ part: { $case: 'text', value: 'do it' } }] }] });
    const card = await call('getAgentCard', {});
    expect(card.value).toMatchObject({
      name: 'codetether',
      preferredTransport: 'JSONRPC',
      additionalInterfaces: expect.arrayContaining([
        expect.objectContaining({ transport: 'GRPC', url: `http://127.0.0.1:${served.grpc.port}` }),
      ]),
    });
  }
});

test("whose task it is sees it, over any binding; another's is not found, and no list names it", async () => {
  for (const binding of bindings) {
    const task = await sent(binding);
    for (const token of ['two', 'acme']) {
      const other = await clientOf(binding, token);
      await expect(other.getTask({ tenant: '', id: task.id })).rejects.toMatchObject({ name: 'TaskNotFoundError' });
      await expect(other.cancelTask({ tenant: '', id: task.id, metadata: undefined })).rejects.toMatchObject({
        name: 'TaskNotFoundError',
      });
      await expect(other.resubscribeTask({ tenant: '', id: task.id }).next()).rejects.toMatchObject({
        name: 'TaskNotFoundError',
      });
    }
    expect((await (await clientOf(binding, 'one')).getTask({ tenant: '', id: task.id })).id).toBe(task.id);
  }
});

test('a message that comes over each binding is one task', async () => {
  const messageId = randomUUID();
  const ids = await Promise.all([...bindings, ...bindings].map(async (binding) => (await sent(binding, messageId)).id));
  expect(new Set(ids).size).toBe(1);
});

test('readers that leave free their streams, and their connection goes on', async () => {
  const task = await sent('GRPC');
  const Client = makeGenericClientConstructor(A2AService, 'raw');
  const client = new Client(`127.0.0.1:${served.grpc.port}`, credentials.createInsecure(), {
    interceptors: [tokenInterceptor('one')],
  });
  open.push(client);
  const subscribe = Reflect.get(client, 'subscribeToTask') as (asked: object) => ClientReadableStream<object>;
  const streams = Array.from({ length: 20 }, () => subscribe.call(client, { tenant: '', id: task.id }));
  await expect.poll(async () => await streamsOpen(served)).toBe('20');
  for (const stream of streams) stream.on('error', () => undefined).cancel();
  await expect.poll(async () => await streamsOpen(served)).toBe('0');
  expect((await grpcClient(A2AService)('getTask', { tenant: '', id: task.id })).code).toBe(status.OK);
});

const streamsOpen = async ({ metrics }: TestBindings) => /codetether_api_streams (\d+)/.exec(await metrics.text())?.[1];

const seeHost = async (): Promise<void> =>
  await inTenant('default', async () => {
    await store.seeHost({ hostId: 'h1', name: 'tiger', pid: 7, version: '1', slots: 8, slotsUsed: 2 });
  });

test('health says what /ready says, also to who watches, and knows the services by name', async () => {
  const own = await serveBindings(store, { authenticate: async () => callers.one });
  const { port } = own.grpc;
  const health = grpcClient(healthService, { token: '', port });
  await seeHost();
  const watched: unknown[] = [];
  const Client = makeGenericClientConstructor(healthService, 'raw');
  const watcher = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  open.push(watcher);
  const watch = Reflect.get(watcher, 'watch') as (asked: object) => ClientReadableStream<object>;
  const following = watch.call(watcher, { service: '' }).on('data', (told) => watched.push(told));
  following.on('error', () => undefined);
  await expect.poll(() => watched).toEqual([{ status: 'SERVING' }]);
  own.engine.mode = 'down';
  expect((await health('check', { service: '' })).value).toEqual({ status: 'NOT_SERVING' });
  await expect.poll(() => watched).toEqual([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
  own.engine.mode = 'up';
  expect((await health('list', {})).value).toMatchObject({
    statuses: { 'lf.a2a.v1.A2AService': { status: 'SERVING' } },
  });
  expect((await health('check', { service: 'nobody' })).code).toBe(status.NOT_FOUND);
  following.cancel();
  await own.close();
});

test('calls are counted by method and code when they end, those that are refused or name nothing too', async () => {
  const own = await serveBindings(store, { authenticate: authenticateByName });
  const { port } = own.grpc;
  const value = async (name: string): Promise<string | undefined> => {
    const line = (await own.metrics.text()).split('\n').find((each) => each.startsWith(`${name} `));
    return line?.slice(name.length + 1);
  };
  await grpcClient(A2AService, { port })('listTasks', {
    tenant: '',
    contextId: '',
    status: TaskState.TASK_STATE_UNSPECIFIED,
    pageToken: '',
  });
  await grpcClient(A2AService, { port })('getTask', { tenant: '', id: randomUUID() });
  await grpcClient(A2AService, { port, token: 'nobody' })('getTask', { tenant: '', id: randomUUID() });
  const getTask = '/lf.a2a.v1.A2AService/GetTask';
  expect(await value('codetether_grpc_calls_total{method="/lf.a2a.v1.A2AService/ListTasks",code="OK"}')).toBe('1');
  expect(await value(`codetether_grpc_calls_total{method="${getTask}",code="NOT_FOUND"}`)).toBe('1');
  expect(await value(`codetether_grpc_calls_total{method="${getTask}",code="UNAUTHENTICATED"}`)).toBe('1');
  expect(await value(`codetether_grpc_call_seconds_count{method="${getTask}"}`)).toBe('2');
  await own.close();
});

test('from the drain on health says that it does not serve; what is waited for is answered, streams are told to go elsewhere', async () => {
  await seeHost();
  const draining = new AbortController();
  const ending = await serveBindings(store, { draining: draining.signal, authenticate: async () => callers.one });
  const port = ending.grpc.port;
  const health = grpcClient(healthService, { token: '', port });
  const check = async (service: string) => (await health('check', { service })).value;
  for (const service of ['', 'lf.a2a.v1.A2AService', 'a2a.v1.A2AService', 'a2a.v1.A2aService'])
    expect(await check(service)).toEqual({ status: 'SERVING' });
  const task = await sent('GRPC');
  const following = grpcClient(A2AService, { port })('subscribeToTask', {
    tenant: '',
    id: task.id,
  });
  await expect.poll(async () => await streamsOpen(ending)).toBe('1');
  const waiting = grpcClient(A2AService, { port })('sendMessage', { ...request(), configuration: undefined });
  await expect.poll(() => ending.engine.tasks.length).toBe(1);
  draining.abort();
  await expect.poll(async () => await check('')).toEqual({ status: 'NOT_SERVING' });
  await ending.close();
  expect((await waiting).value).toMatchObject({ payload: { $case: 'task' } });
  const told = await following;
  expect([told.code, told.error?.metadata.get('codetether-error')]).toEqual([status.UNAVAILABLE, ['server-ending']]);
});
