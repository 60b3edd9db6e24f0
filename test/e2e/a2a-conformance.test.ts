import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWebhook } from '../conformance/acts/webhook.ts';
import { SentJson, TaskJson, callJsonRpc, resultOf } from '../support/a2a-json-rpc.ts';
import { startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let server: Serving;

beforeAll(async () => {
  stack = await createTestStack({ TCK_STREAMING_TIMEOUT: '3' });
  server = await startServe(stack, { args: ['--no-grpc', '--conformance', 'pure'] });
}, 180_000);
afterAll(async () => {
  await stack.remove();
});

const sent = async (params: object) => resultOf(await callJsonRpc(server.url, 'SendMessage', { params }), SentJson);

async function reached(id: string, state: string): Promise<TaskJson> {
  for (const deadline = Date.now() + 60_000; ; await delay(200)) {
    const task = resultOf(await callJsonRpc(server.url, 'GetTask', { params: { id } }), TaskJson);
    if (task.status.state === state) return task;
    if (Date.now() > deadline) throw new Error(`the task is ${task.status.state}`);
  }
}

test('a task of the kits goes through the real worker: both are killed in the middle, and each of its steps comes once', async () => {
  const message = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'tck-long-running start' }] };
  const params = { message, configuration: { returnImmediately: true } };
  const { task } = await sent(params);
  await reached(task.id, 'TASK_STATE_WORKING');
  await stack.kill('worker');
  await server.kill();
  await server.restart();
  const ended = await reached(task.id, 'TASK_STATE_COMPLETED');
  expect(ended.artifacts).toEqual([{ artifactId: 'result', name: 'result', parts: [{ text: 'It took a while.' }] }]);
  expect(ended.history).toHaveLength(1);
}, 180_000);

test('the kits are pushed to on this machine without any setting', async () => {
  const webhook = await openWebhook();
  try {
    const message = { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'tck-complete-task' }] };
    const configuration = { taskPushNotificationConfig: { url: webhook.url } };
    const { task } = await sent({ message, configuration });
    const delivery = await webhook.firstOf(task.id);
    expect(JSON.parse(delivery?.body ?? '{}')).toMatchObject({ statusUpdate: { taskId: task.id } });
  } finally {
    await webhook.close();
  }
});

test('a credential that somebody brings is checked in the profile too, and no other machine can ask', async () => {
  const response = await fetch(server.url, { method: 'POST', headers: { authorization: 'Bearer wrong' }, body: '{}' });
  expect(response.status).toBe(401);
  const refused = await stack.cli(['serve', '--port', '0', '--no-grpc', '--host', '0.0.0.0', '--conformance', 'pure']);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('can be reached from other machines')]);
});
