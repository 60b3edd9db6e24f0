import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createPushActivities } from '../../activities/a2a/push-activities.ts';
import { createGuardedFetch } from '../../activities/network/guarded-fetch.ts';
import type { GuardOptions } from '../../activities/network/guarded-fetch.ts';
import type { TaskState } from '../../domain/a2a/task.ts';
import type { Principal } from '../../domain/access/permissions.ts';
import { pushBody } from '../../services/api/a2a/push-body.ts';
import { openSecrets } from '../../services/api/a2a/push-secrets.ts';
import { createApp } from '../../services/api/app.ts';
import { createKeyRing } from '../../services/config/key-ring.ts';
import type { KeyRing } from '../../services/config/key-ring.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { SentJson, TaskJson, resultOf } from '../support/a2a-json-rpc.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { injectJsonRpc, somebody } from './a2a-fixtures.ts';
import { apiDeps } from './api-fixtures.ts';

const newKey = () => randomBytes(32).toString('base64');
const keys = newKey();
const keyRing = createKeyRing(keys);
const named = ['127.0.0.1:*'];

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
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-push-')));
  await inTenant('default', async () => {
    await store.nameWorkspace({ name: 'work', hostId: 'host-1', folder, createdBy: 'test' });
  });
  deps = apiDeps(store);
  app = await createApp({
    ...deps,
    keyRing,
    pushHosts: named,
    defaultModel: 'openai/x',
    authenticate: async () => principal,
  });
});
beforeEach(() => {
  principal = somebody('key:one');
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Told {
  readonly event: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: never;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Answers each request as `answer` does; by default that it has it. */
async function receiver(
  answer: (times: number, response: ServerResponse) => void = (_times, response) => response.end(),
) {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const event = String(request.headers['x-codetether-event']);
      told.push({ event, headers: request.headers, body: JSON.parse(text) as never });
      answer(told.length, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    told,
    seqs: () => told.map(({ event }) => Number(event.split('/')[1])),
  };
}

const status =
  (code: number, headers: { readonly [name: string]: string } = {}) =>
  (_times: number, response: ServerResponse) =>
    response.writeHead(code, headers).end();

const call = async (method: string, params: unknown, version?: string) =>
  await injectJsonRpc(app, method, { params, version });

const message = () => ({ messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'do it' }] });

async function sent(push?: object): Promise<string> {
  const configuration = { returnImmediately: true, taskPushNotificationConfig: push };
  return resultOf(await call('SendMessage', { message: message(), configuration }), SentJson).task.id;
}

const Config = z.looseObject({ id: z.string() });

const set = async (taskId: string, config: object) =>
  resultOf(await call('CreateTaskPushNotificationConfig', { taskId, ...config }), Config);

/** As the worker does it; `look` is one look of its workflow. */
function worker({ guard = {}, ring = keyRing }: { guard?: GuardOptions; ring?: KeyRing | undefined } = {}) {
  const activities = createPushActivities({
    store,
    fetch: createGuardedFetch({ trusted: named, ...guard }),
    named: guard.trusted ?? named,
    open: (config) => openSecrets(ring, 'default', config),
    body: async (...told) => pushBody(...told),
    cancellationSignal: () => new AbortController().signal,
    random: () => 0,
  });
  const look = async (taskId: string, configId = taskId) =>
    (await inTenant('default', async () => await activities.deliverNext({ taskId, configId }))).waitMs;
  return {
    look,
    /** Until nothing is to be done at once. */
    deliver: async (taskId: string, configId = taskId): Promise<number | null> => {
      for (;;) {
        const waitMs = await look(taskId, configId);
        if (waitMs !== 0) return waitMs;
      }
    },
  };
}

async function happens(taskId: string, ...states: readonly TaskState[]): Promise<void> {
  const events = states.map((state) => ({ key: randomUUID(), kind: 'status', body: { state } }) as const);
  await inTenant('default', async () => await store.appendTaskEvents(taskId, events));
}

async function rows<T extends object>(query: string): Promise<T[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(`SELECT set_config('codetether.tenant', 'default', false)`);
    return (await client.query<T>(query)).rows;
  } finally {
    await client.end();
  }
}

/** What waits for its next attempt has waited. */
const timePasses = async () => await rows(`UPDATE push_failure SET next_at = now()`);

test('a receiver of 1.0 is told of each event as a stream tells it, in order and once, with what it was to be shown', async () => {
  const { url, told, seqs } = await receiver();
  const authentication = { scheme: 'Bearer', credentials: 'secret-credentials' };
  const taskId = await sent({ url, token: 'secret-token', authentication });
  const { deliver } = worker();
  expect(await deliver(taskId)).toBeNull();
  await happens(taskId, 'working', 'completed');
  expect(await deliver(taskId)).toBeNull();
  expect(seqs()).toEqual([2, 3, 4]);
  expect(told.map(({ event }) => event.split('/')[0])).toEqual([taskId, taskId, taskId]);
  expect(told[0]?.headers).toMatchObject({
    'content-type': 'application/a2a+json',
    authorization: 'Bearer secret-credentials',
    'x-a2a-notification-token': 'secret-token',
  });
  expect(told.map(({ body }) => body)).toMatchObject([
    { statusUpdate: { taskId, status: { state: 'TASK_STATE_SUBMITTED' } } },
    { statusUpdate: { taskId, status: { state: 'TASK_STATE_WORKING' } } },
    { statusUpdate: { taskId, status: { state: 'TASK_STATE_COMPLETED' } } },
  ]);
});

test('a receiver of 0.3 is told by the task as it was then', async () => {
  const { url, told } = await receiver();
  const answer = await call(
    'message/send',
    {
      message: { ...message(), kind: 'message', role: 'user', parts: [{ kind: 'text', text: 'do it' }] },
      configuration: { pushNotificationConfig: { url, token: 't' } },
    },
    '0.3',
  );
  const { id } = resultOf(answer, TaskJson);
  await happens(id, 'working', 'completed');
  await worker().deliver(id);
  expect(told.map(({ headers }) => headers['content-type'])).toEqual(Array(3).fill('application/json'));
  expect(told.map(({ headers }) => headers['x-a2a-notification-token'])).toEqual(Array(3).fill('t'));
  expect(told.map(({ body }) => body)).toMatchObject([
    { kind: 'task', id, status: { state: 'submitted' } },
    { kind: 'task', id, status: { state: 'working' } },
    { kind: 'task', id, status: { state: 'completed' }, history: [{ kind: 'message' }] },
  ]);
});

test('a config is set, replaced, got, listed and deleted in both versions by whoever has sent the task and by nobody else', async () => {
  const taskId = await sent();
  const config = { taskId, url: 'https://example.com/hook' };
  const authentication = { scheme: 'Basic', credentials: 'YTpi' };
  expect((await call('CreateTaskPushNotificationConfig', { ...config, id: 'a', authentication })).result).toEqual({
    ...config,
    id: 'a',
    authentication,
  });
  const made = await set(taskId, { url: 'https://example.com/other' });
  expect(made.id).toMatch(/^[\da-f-]{36}$/);
  await set(taskId, { url: 'https://example.com/replaced', id: 'a' });
  const listed = async () =>
    resultOf(await call('ListTaskPushNotificationConfigs', { taskId }), z.looseObject({ configs: z.array(Config) }))
      .configs;
  expect(await listed()).toMatchObject([{ id: 'a', url: 'https://example.com/replaced' }, { id: made.id }]);

  // 0.3 names the task's own by no id, or by the task's.
  const legacy = {
    taskId,
    pushNotificationConfig: { url: 'https://example.com/legacy', authentication: { schemes: ['Bearer'] } },
  };
  expect((await call('tasks/pushNotificationConfig/set', legacy, '0.3')).result).toMatchObject({
    taskId,
    pushNotificationConfig: { id: taskId, url: 'https://example.com/legacy', authentication: { schemes: ['Bearer'] } },
  });
  await call('tasks/pushNotificationConfig/set', legacy, '0.3');
  expect((await call('tasks/pushNotificationConfig/list', { id: taskId }, '0.3')).result).toHaveLength(3);
  expect((await call('tasks/pushNotificationConfig/get', { id: taskId }, '0.3')).result).toMatchObject({ taskId });

  // Names as in the protocol buffers are read too.
  expect((await call('GetTaskPushNotificationConfig', { task_id: taskId, id: 'a' })).result).toMatchObject({ taskId });
  expect((await call('ListTaskPushNotificationConfigs', {})).error?.code).toBe(-32602);

  principal = somebody('key:two');
  for (const [method, params] of [
    ['CreateTaskPushNotificationConfig', config],
    ['GetTaskPushNotificationConfig', { taskId, id: 'a' }],
    ['ListTaskPushNotificationConfigs', { taskId }],
    ['DeleteTaskPushNotificationConfig', { taskId, id: 'a' }],
  ] as const)
    expect((await call(method, params)).error?.code, method).toBe(-32001);
  principal = somebody('key:one', 'default', ['runs:read']);
  expect((await call('GetTaskPushNotificationConfig', { taskId, id: 'a' })).error).toBeUndefined();
  const denied = await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
    payload: { jsonrpc: '2.0', id: 1, method: 'DeleteTaskPushNotificationConfig', params: { taskId, id: 'a' } },
  });
  expect(denied.statusCode).toBe(403);
  principal = somebody('key:one');
  for (const _twice of [1, 2])
    expect((await call('DeleteTaskPushNotificationConfig', { taskId, id: 'a' })).error).toBeUndefined();
  expect((await call('GetTaskPushNotificationConfig', { taskId, id: 'a' })).error?.code).toBe(-32001);
});

test('over REST a config is set, got and deleted by whoever may, and a receiver is told as the version of the route does', async () => {
  const { url, told } = await receiver();
  const taskId = await sent();
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) =>
    await app.inject({ method, url: `/tasks/${taskId}/pushNotificationConfigs${path}`, ...(payload && { payload }) });
  const config = { id: 'rest', url, token: 'shown' };
  principal = somebody('key:one', 'default', ['runs:read']);
  expect((await ask('POST', '', config)).statusCode).toBe(403);
  expect((await ask('DELETE', '/rest')).statusCode).toBe(403);
  principal = somebody('key:one');
  expect((await ask('POST', '', config)).json()).toMatchObject({ ...config, taskId });
  const legacy = await app.inject({
    method: 'POST',
    url: `/v1/tasks/${taskId}/pushNotificationConfigs`,
    payload: {
      parent: `tasks/${taskId}`,
      configId: 'legacy',
      config: { name: `tasks/${taskId}/pushNotificationConfigs/legacy`, pushNotificationConfig: { id: 'legacy', url } },
    },
  });
  expect(legacy.statusCode, legacy.body).toBeLessThan(300);
  await happens(taskId, 'working');
  for (const id of ['rest', 'legacy']) await worker().deliver(taskId, id);
  expect(told.map(({ headers }) => headers['content-type'])).toEqual(['application/a2a+json', 'application/json']);
  expect((await ask('GET', '/rest')).json()).toMatchObject({ token: 'shown' });
  expect((await ask('DELETE', '/rest')).statusCode).toBe(204);
  expect((await ask('GET', '/rest')).statusCode).toBe(404);
});

test.each([
  [{ url: 'nowhere' }, 'no web address'],
  [{ url: 'ftp://example.com/' }, 'https://'],
  [{ url: 'http://example.com/' }, 'https://'],
  [{ url: 'https://a:b@example.com/' }, 'user name'],
  [{ url: 'https://10.0.0.1/' }, 'not on the public internet'],
  [{ url: 'https://169.254.169.254/latest' }, 'not on the public internet'],
  [{ url: 'https://[::1]/' }, 'not on the public internet'],
  [{ url: 'https://[::ffff:10.0.0.1]/' }, 'not on the public internet'],
  [{ url: 'https://167772161/' }, 'not on the public internet'],
  [{ url: 'https://localhost/' }, 'not on the public internet'],
  [{ url: 'https://example.com/', token: 'a\r\nX-Other: b' }, 'token'],
  [{ url: 'https://example.com/', id: 'a\u0007' }, 'id'],
  [{ url: 'https://example.com/', authentication: { scheme: 'Bearer\r\n', credentials: 'a' } }, 'scheme'],
  [{ url: 'https://example.com/', authentication: { scheme: 'Bearer', credentials: 'a\nb' } }, 'credentials'],
  [{ url: 'https://example.com/', authentication: { scheme: 'Bearer', credentials: 'a'.repeat(4001) } }, 'credentials'],
  [{ url: 'https://example.com/', authentication: { credentials: 'a' } }, 'scheme'],
  [{ url: `https://example.com/${'a'.repeat(2000)}` }, 'url'],
  [{}, 'url'],
])('a config that is not right is refused, and a message with it begins nothing: %#', async (config, reason) => {
  const taskId = await sent();
  const refused = await call('CreateTaskPushNotificationConfig', { taskId, ...config });
  expect(refused.error).toMatchObject({ code: -32602, message: expect.stringContaining(reason) });
  const total = async () => (await rows(`SELECT 1 FROM a2a_task`)).length;
  const before = await total();
  const configuration = { returnImmediately: true, taskPushNotificationConfig: config };
  expect((await call('SendMessage', { message: message(), configuration })).error?.code).toBe(-32602);
  expect(await total()).toBe(before);
});

test('a task has ten configs at most, however they are set at once', async () => {
  const taskId = await sent();
  const url = 'https://example.com/';
  const answers = await Promise.all(
    Array.from(
      { length: 12 },
      async (_, id) => await call('CreateTaskPushNotificationConfig', { taskId, id: `c${id}`, url }),
    ),
  );
  expect(answers.filter(({ error }) => error?.code === -32602)).toHaveLength(2);
  expect((await rows(`SELECT 1 FROM push_config WHERE task_id = '${taskId}'`)).length).toBe(10);
  // A message with one more is not taken.
  const more = {
    message: { ...message(), taskId },
    configuration: { taskPushNotificationConfig: { id: 'more', url } },
  };
  expect((await call('SendMessage', more)).error?.message).toContain('at most');
});

test('the same message twice sets its config once, and what was missed before it was set is told', async () => {
  const { url, seqs } = await receiver();
  const params = { message: message(), configuration: { returnImmediately: true } };
  const first = await call('SendMessage', params);
  const { id } = resultOf(first, SentJson).task;
  await happens(id, 'working');
  // Whoever took it died before it had set the config.
  const push = { ...params, configuration: { returnImmediately: true, taskPushNotificationConfig: { url } } };
  deps.engine.pushes.length = 0;
  for (const _twice of [1, 2]) await call('SendMessage', push);
  expect(deps.engine.pushes).toContainEqual([id, id]);
  await worker().deliver(id);
  await call('SendMessage', push);
  await worker().deliver(id);
  expect(seqs()).toEqual([2, 3]);
});

test('a config that is set later is told of what happens from then on', async () => {
  const { url, seqs } = await receiver();
  const taskId = await sent();
  await happens(taskId, 'working');
  await set(taskId, { id: 'late', url });
  await happens(taskId, 'completed');
  await worker().deliver(taskId, 'late');
  expect(seqs()).toEqual([4]);
});

test('what fails is tried again after waits that double, in order, until it is delivered', async () => {
  const { url, seqs } = await receiver((times, response) =>
    response.writeHead(times < 4 ? ([500, 408, 425][times - 1] ?? 500) : 200).end(),
  );
  const taskId = await sent({ url });
  await happens(taskId, 'working');
  const { deliver } = worker();
  const waits: (number | null)[] = [];
  for (let tries = 0; tries < 4; tries++) {
    waits.push(await deliver(taskId));
    // Not before its time.
    if (waits.at(-1) !== null) expect(await deliver(taskId)).toBeGreaterThan(0);
    await timePasses();
  }
  expect(waits).toEqual([1000, 2000, 4000, null]);
  expect(seqs()).toEqual([2, 2, 2, 2, 3]);
});

test('a receiver that names its time is not asked before it, and not later than in an hour', async () => {
  const after = async (code: number, retryAfter: string) => {
    const { url } = await receiver(status(code, { 'retry-after': retryAfter }));
    return await worker().deliver(await sent({ url }));
  };
  expect(await after(429, '120')).toBe(120_000);
  expect(await after(503, new Date(Date.now() + 90_000).toUTCString())).toBeGreaterThan(80_000);
  expect(await after(503, '999999')).toBe(3_600_000);
  expect(await after(503, 'soon')).toBe(1000);
});

test('a receiver that hangs up or is not there is tried again; one whose answer has no end has it', async () => {
  const cut = await receiver((_times, response) => response.destroy());
  expect(await worker().deliver(await sent({ url: cut.url }))).toBe(1000);
  const gone = await receiver();
  servers.pop()?.close();
  expect(await worker().deliver(await sent({ url: gone.url }))).toBe(1000);
  const endless = await receiver((_times, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  expect(await worker().deliver(await sent({ url: endless.url }))).toBeNull();
});

async function deadLetters(): Promise<readonly { readonly [member: string]: unknown }[]> {
  const listed = await app.inject({ method: 'GET', url: '/v1/dead-letters' });
  expect(listed.statusCode, listed.body).toBe(200);
  return listed.json<{ deadLetters: { [member: string]: unknown }[] }>().deadLetters;
}

const replay = async (id: unknown) =>
  await app.inject({ method: 'POST', url: `/v1/dead-letters/${String(id)}/replay` });

test('what is not delivered in ten attempts is a dead letter, and the next event is told', async () => {
  principal = somebody('key:ten');
  const { url, seqs } = await receiver((times, response) => response.writeHead(times <= 10 ? 500 : 200).end());
  const taskId = await sent({ url });
  await happens(taskId, 'working');
  const { deliver } = worker();
  for (let tries = 0; tries < 10; tries++) {
    await deliver(taskId);
    await timePasses();
  }
  expect(seqs()).toEqual([...Array<number>(10).fill(2), 3]);
  expect(await deadLetters()).toMatchObject([
    { taskId, configId: taskId, seq: 2, attempts: 10, status: 500, receiver: new URL(url).origin, disabled: false },
  ]);
});

test.each([400, 401, 404, 410, 301, 302])('an answer with %i is final', async (code) => {
  const { url, told } = await receiver(status(code, { location: 'https://example.com/' }));
  const taskId = await sent({ url });
  expect(await worker().deliver(taskId)).toBeNull();
  expect(told).toHaveLength(1);
});

test('three dead letters in a row disable a receiver; a replay is known as one, and then it is told what it has missed', async () => {
  principal = somebody('key:replays');
  let isBack = false;
  const { url, seqs } = await receiver((_times, response) => response.writeHead(isBack ? 204 : 404).end());
  const taskId = await sent({ url });
  const { deliver } = worker();
  await happens(taskId, 'working', 'input-required', 'working', 'completed');
  expect(await deliver(taskId)).toBeNull();
  expect(seqs()).toEqual([2, 3, 4]);
  const letters = await deadLetters();
  expect(letters.map(({ seq, disabled }) => [seq, disabled])).toEqual([
    [4, true],
    [3, true],
    [2, true],
  ]);
  expect(await inTenant('default', async () => await store.pushConfigsBehind(taskId))).toEqual([]);
  isBack = true;
  // Nobody else's.
  principal = somebody('key:two');
  expect((await replay(letters[1]?.['deadLetterId'])).statusCode).toBe(404);
  expect(await deadLetters()).toEqual([]);
  principal = { ...somebody('local'), isLocal: true };
  expect((await deadLetters()).length).toBeGreaterThanOrEqual(3);
  principal = somebody('key:replays');
  deps.engine.pushes.length = 0;
  for (const _twice of [1, 2]) {
    const replayed = await replay(letters[1]?.['deadLetterId']);
    expect(replayed.statusCode, replayed.body).toBe(200);
  }
  expect(deps.engine.pushes).toEqual([
    [taskId, taskId],
    [taskId, taskId],
  ]);
  expect(await deliver(taskId)).toBeNull();
  expect(seqs().slice(3)).toEqual([3, 5, 6]);
  expect((await deadLetters()).map(({ seq }) => seq)).toEqual([4, 2]);
  expect((await replay(letters[1]?.['deadLetterId'])).statusCode).toBe(404);
  expect((await inTenant('default', async () => await store.readAudit({ limit: 1 })))[0]).toMatchObject({
    principal: 'key:replays',
    action: 'dead-letters replay',
    detail: { taskId, seq: 3 },
  });
});

test('dead letters are listed in pages, none twice and none left out', async () => {
  principal = somebody('key:pages');
  const { url } = await receiver(status(404));
  const taskIds = await Promise.all(Array.from({ length: 5 }, async () => await sent({ url })));
  for (const taskId of taskIds) await worker().deliver(taskId);
  const seen: unknown[] = [];
  for (let rest = ''; ;) {
    const page = await app.inject({ method: 'GET', url: `/v1/dead-letters?limit=2${rest}` });
    const { deadLetters: found, nextCursor } = page.json<{
      deadLetters: { taskId: string }[];
      nextCursor: string | null;
    }>();
    seen.push(...found.map(({ taskId }) => taskId));
    if (nextCursor === null) break;
    rest = `&cursor=${nextCursor}`;
  }
  expect(seen).toEqual(taskIds.toReversed());
});

test('a config that was disabled and is set anew goes on where it was', async () => {
  const broken = await receiver(status(404));
  const taskId = await sent({ url: broken.url });
  await happens(taskId, 'working', 'input-required', 'completed');
  await worker().deliver(taskId);
  const { url, seqs } = await receiver();
  deps.engine.pushes.length = 0;
  await set(taskId, { id: taskId, url });
  expect(deps.engine.pushes).toEqual([[taskId, taskId]]);
  await worker().deliver(taskId);
  expect(seqs()).toEqual([5]);
});

test('nothing is delivered to a config that was deleted, and its dead letters are gone', async () => {
  principal = somebody('key:deletes');
  const { url, told } = await receiver(status(404));
  const taskId = await sent({ url });
  await worker().deliver(taskId);
  expect(await deadLetters()).toHaveLength(1);
  await call('DeleteTaskPushNotificationConfig', { taskId, id: taskId });
  await happens(taskId, 'working');
  expect(await worker().deliver(taskId)).toBeNull();
  expect(told).toHaveLength(1);
  expect(await deadLetters()).toEqual([]);
});

test('the guard stands before each delivery: a name that leads inside, an address that is named no more, a redirect', async () => {
  principal = somebody('key:guard');
  const inside = await receiver();
  const redirecting = await receiver(status(307, { location: inside.url }));
  const byName = await sent({ url: 'https://hook.example/' });
  const lookUpAddresses = async () => [{ address: '10.0.0.1', family: 4 }];
  await worker({ guard: { lookUpAddresses } }).deliver(byName);
  const noMore = await sent({ url: inside.url });
  await worker({ guard: { trusted: [] } }).deliver(noMore);
  const redirected = await sent({ url: redirecting.url });
  await worker().deliver(redirected);
  expect(inside.told).toEqual([]);
  expect((await deadLetters()).map(({ taskId, reason, attempts }) => [taskId, reason, attempts])).toEqual([
    [redirected, 'the receiver has answered with 307', 1],
    [noMore, 'it takes an address that begins with https://', 1],
    [byName, 'hook.example is not on the public internet (10.0.0.1)', 1],
  ]);
});

test('two workers that deliver the same at once move it on once', async () => {
  const { url, seqs } = await receiver();
  const taskId = await sent({ url });
  await happens(taskId, 'working', 'completed');
  const [one, two] = [worker(), worker()];
  await Promise.all([one.look(taskId), two.look(taskId)]);
  await one.deliver(taskId);
  expect([...new Set(seqs())]).toEqual([2, 3, 4]);
  expect(seqs().filter((seq) => seq > 2)).toEqual([3, 4]);
});

test('secrets are in no table in clear, are opened with the keys of before, and not as those of another config', async () => {
  const { url, told } = await receiver();
  const authentication = { scheme: 'Bearer', credentials: 'plain-credentials' };
  const taskId = await sent({ url, token: 'plain-token', authentication });
  const tables = await rows<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migration'`,
  );
  expect(tables.map(({ name }) => name)).toContain('push_config');
  for (const { name } of tables) {
    const found = await rows(`SELECT 1 FROM ${name} AS row WHERE row::text ~ 'plain-(credentials|token)'
      OR row::text ~ '${Buffer.from('plain-credentials').toString('hex')}'`);
    expect(found, name).toEqual([]);
  }
  expect(await worker({ ring: createKeyRing(newKey()) }).deliver(taskId)).toBe(1000);
  expect(told).toEqual([]);
  await timePasses();
  expect(await worker({ ring: createKeyRing(`${newKey()},${keys}`) }).deliver(taskId)).toBeNull();
  expect(told[0]?.headers.authorization).toBe('Bearer plain-credentials');

  const other = await sent({ url, token: 'other' });
  await rows(`UPDATE push_config SET sealed = (SELECT sealed FROM push_config WHERE task_id = '${taskId}')
    WHERE task_id = '${other}'`);
  expect((await call('GetTaskPushNotificationConfig', { taskId: other, id: other })).error?.message).toContain(
    'secret',
  );
});

test('without a key nothing secret is taken, and what is not secret is', async () => {
  const plain = await createApp({
    ...deps,
    pushHosts: named,
    defaultModel: 'openai/x',
    authenticate: async () => principal,
  });
  const usual = app;
  app = plain;
  try {
    const taskId = await sent();
    const url = 'https://example.com/';
    const refused = await call('CreateTaskPushNotificationConfig', { taskId, url, token: 'secret' });
    expect(refused.error?.message).toContain('There is no key');
    expect((await call('CreateTaskPushNotificationConfig', { taskId, url })).error).toBeUndefined();
  } finally {
    app = usual;
    await plain.close();
  }
});
