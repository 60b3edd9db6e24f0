import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWebhook } from '../conformance/acts/webhook.ts';
import { freePort } from '../support/free-port.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let url: string;
let server: RunningCli;

async function serve(): Promise<void> {
  server = stack.start(['serve', '--port', new URL(url).port, '--no-grpc', '--conformance', 'pure']);
  for (const deadline = Date.now() + 60_000; ; await delay(100)) {
    const ready = await fetch(`${url}/ready`).catch(() => undefined);
    if (ready?.status === 200) return;
    if (Date.now() > deadline) throw new Error((await server.result).stderr);
  }
}

beforeAll(async () => {
  stack = await createTestStack({ TCK_STREAMING_TIMEOUT: '3' });
  url = `http://127.0.0.1:${await freePort()}`;
  await serve();
}, 180_000);
afterAll(async () => {
  process.kill(server.pid, 'SIGKILL');
  await stack.remove();
});

interface TaskJson {
  readonly id: string;
  readonly status: { readonly state: string };
  readonly artifacts?: readonly object[];
  readonly history?: readonly object[];
}

async function call<T>(method: string, params: object): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return ((await response.json()) as { readonly result: T }).result;
}

async function reached(id: string, state: string): Promise<TaskJson> {
  for (const deadline = Date.now() + 60_000; ; await delay(200)) {
    const task = await call<TaskJson>('GetTask', { id });
    if (task.status.state === state) return task;
    if (Date.now() > deadline) throw new Error(`the task is ${task.status.state}`);
  }
}

test('a task of the kits goes through the real worker: both are killed in the middle, and each of its steps comes once', async () => {
  const message = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'tck-long-running start' }] };
  const params = { message, configuration: { returnImmediately: true } };
  const { task } = await call<{ readonly task: TaskJson }>('SendMessage', params);
  await reached(task.id, 'TASK_STATE_WORKING');
  await stack.kill('worker');
  process.kill(server.pid, 'SIGKILL');
  await server.result;
  await serve();
  const ended = await reached(task.id, 'TASK_STATE_COMPLETED');
  expect(ended.artifacts).toEqual([{ artifactId: 'result', name: 'result', parts: [{ text: 'It took a while.' }] }]);
  expect(ended.history).toHaveLength(1);
}, 180_000);

test('the kits are pushed to on this machine without any setting', async () => {
  const webhook = await openWebhook();
  try {
    const message = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'tck-complete-task' }] };
    const configuration = { taskPushNotificationConfig: { url: webhook.url } };
    const { task } = await call<{ readonly task: TaskJson }>('SendMessage', { message, configuration });
    const delivery = await webhook.firstOf(task.id);
    expect(JSON.parse(delivery?.body ?? '{}')).toMatchObject({ statusUpdate: { taskId: task.id } });
  } finally {
    await webhook.close();
  }
});

test('a credential that somebody brings is checked in the profile too, and no other machine can ask', async () => {
  const response = await fetch(url, { method: 'POST', headers: { authorization: 'Bearer wrong' }, body: '{}' });
  expect(response.status).toBe(401);
  const refused = await stack.cli(['serve', '--port', '0', '--no-grpc', '--host', '0.0.0.0', '--conformance', 'pure']);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('can be reached from other machines')]);
});
