import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createTaskActivities } from '../../activities/a2a/task-activities.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { ConformanceCard } from '../../domain/a2a/conformance.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateAnybody } from '../../services/api/conformance.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { SentJson, TaskJson, resultOf } from '../support/a2a-json-rpc.ts';
import { withTestStore } from '../support/store.ts';
import { injectJsonRpc } from './a2a-fixtures.ts';
import { apiDeps } from './api-fixtures.ts';

const tenant = 'conformance';
let store: PostgresStore;
const apps: Awaited<ReturnType<typeof createApp>>[] = [];

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

const nobody = async () => {
  throw new CodetetherError('unauthenticated');
};

/** A server of the profile, whose tasks are worked on when they are looked at. */
async function profile(conformance: ConformanceCard = 'pure') {
  const app = await createApp({
    ...apiDeps(store),
    conformance,
    longTaskMs: 60_000,
    authenticate: authenticateAnybody(nobody),
  });
  apps.push(app);
  const call = async (method: string, params: object, version?: string) =>
    await injectJsonRpc(app, method, { params, version, url: '/a2a/jsonrpc/' });
  const ask = async (message: object) => {
    const whole = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'hello' }], ...message };
    const params = { message: whole, configuration: { returnImmediately: true } };
    return await call('SendMessage', params);
  };
  const send = async (message: object) => resultOf(await ask(message), SentJson);
  const card = async () => {
    const response = await app.inject({ url: '/.well-known/agent-card.json' });
    return response.json<{ readonly [member: string]: unknown }>();
  };
  return { call, ask, send, card };
}

const unused = async () => {
  throw new Error('no task of the kits asks for it');
};
const activities = () =>
  createTaskActivities({
    store,
    engine: { send: unused, interrupt: unused, answer: unused, describe: unused },
    runs: { startRun: unused, getRun: unused, steer: unused },
    git: createGit({ env: {}, processDir: tmpdir() }),
    hostId: 'host-1',
    tellPush: async () => undefined,
  });
const look = async (taskId: string, isCanceling = false) =>
  await inTenant(tenant, async () => await activities().workOnTask({ taskId, isCanceling }));
const log = async (taskId: string) =>
  await inTenant(tenant, async () =>
    (await store.readTaskEvents(taskId, { afterSeq: 0 })).map((event) =>
      event.kind === 'status' ? event.body.state : event.kind,
    ),
  );

test('a task is played from its log: looked at by several at once, and again after a death, no step comes twice', async () => {
  const { send } = await profile();
  const { task } = await send({ parts: [{ text: 'tck-long-running start' }] });
  const first = await Promise.all([look(task.id), look(task.id), look(task.id)]);
  expect(await log(task.id)).toEqual(['message', 'submitted', 'working']);
  for (const result of first) expect(result).toMatchObject({ isOver: false });
  expect(await look(task.id)).toMatchObject({ isOver: false, waitMs: expect.closeTo(60_000, -4) });
  expect(await log(task.id)).toEqual(['message', 'submitted', 'working']);
  expect(await look(task.id, true)).toEqual({ isOver: true });
  expect(await log(task.id)).toEqual(['message', 'submitted', 'working', 'canceled']);
});

test('a message to a task adds its steps to it', async () => {
  const { send } = await profile();
  const { task } = await send({ parts: [{ text: 'tck-multi-turn start' }] });
  await look(task.id);
  await send({ taskId: task.id, parts: [{ text: 'more' }] });
  await look(task.id);
  await send({ taskId: task.id, parts: [{ text: 'done' }] });
  expect(await look(task.id)).toEqual({ isOver: true });
  const waited = ['message', 'submitted', 'input-required', 'message', 'input-required', 'message', 'completed'];
  expect(await log(task.id)).toEqual(waited);
});

test('the TCK gives one id to many messages, each of which is a task; any other id is one task', async () => {
  const { send } = await profile();
  const one = await send({ messageId: 'tck-complete-task-1' });
  const two = await send({ messageId: 'tck-complete-task-1' });
  expect(one.task.id).not.toBe(two.task.id);
  const messageId = randomUUID();
  expect((await send({ messageId })).task.id).toBe((await send({ messageId })).task.id);
});

test('what A2A 0.3 sends leads to a question, so that its TCK can go on with it or cancel it', async () => {
  const { call } = await profile('hybrid');
  const message = { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text: 'hello' }] };
  const { id } = resultOf(await call('message/send', { message }, '0.3'), TaskJson);
  const { waitMs = 0 } = (await look(id)) as { readonly waitMs?: number };
  expect(await log(id)).toEqual(['message', 'submitted', 'working']);
  await delay(waitMs);
  await look(id);
  expect(await log(id)).toEqual(['message', 'submitted', 'working', 'input-required']);
});

test('a message is answered without a task where that is asked for', async () => {
  const { ask } = await profile();
  const { result } = await ask({ messageId: 'tck-message-response-1' });
  expect(result).toEqual({
    message: {
      messageId: expect.any(String),
      role: 'ROLE_AGENT',
      parts: [{ text: 'Direct message response' }],
    },
  });
});

test('a minimal server says what it has not, and refuses it by the errors of the specification', async () => {
  const { call, card } = await profile('minimal');
  const capabilities = { streaming: false, pushNotifications: false, extendedAgentCard: false };
  expect(await card()).toMatchObject({ capabilities });
  const message = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'hello' }] };
  const codes = await Promise.all(
    [
      ['SendStreamingMessage', { message }],
      ['SubscribeToTask', { id: randomUUID() }],
      ['CreateTaskPushNotificationConfig', { taskId: randomUUID(), url: 'https://example.com/' }],
      ['GetExtendedAgentCard', {}],
    ].map(async ([method, params]) => (await call(method as string, params as object)).error?.code),
  );
  expect(codes).toEqual([-32004, -32004, -32003, -32004]);
});

test('the card of a server that takes anybody asks for nothing; it is that of 1.0 where the kits want it', async () => {
  const pure = await (await profile('pure')).card();
  expect(pure).not.toHaveProperty('securitySchemes');
  expect(pure).not.toHaveProperty('url');
  const hybrid = await (await profile('hybrid')).card();
  expect(hybrid).toMatchObject({ protocolVersion: '0.3.0', supportsAuthenticatedExtendedCard: false });
  expect(hybrid).not.toHaveProperty('security');
});
