import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SentJson, callJsonRpc, resultOf } from '../support/a2a-json-rpc.ts';
import { createToken, startServe } from '../support/serving.ts';
import { createTestStack, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let receiver: Server;
let api: string;
let path: string;
let token: string;
let crashPointFile: string;
let hook: string;
/** What the receiver was told. */
let told: { readonly event: string; readonly state: string; readonly authorization: string | undefined }[] = [];
let answer = 200;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const { statusUpdate, artifactUpdate } = JSON.parse(text);
      const state = statusUpdate?.status.state ?? artifactUpdate?.artifact.artifactId;
      const { 'x-codetether-event': event, authorization } = request.headers;
      told.push({ event: String(event), state, authorization });
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  hook = `http://${host}/hook`;
  const folder = await repositoryFolder();
  path = join(folder, 'work');
  crashPointFile = join(folder, 'crash-point');
  await mkdir(path);
  await promisify(execFile)('git', ['init', '--quiet'], { cwd: path });
  stack = await createTestStack({ CODETETHER_PUSH_HOSTS: host, CODETETHER_CRASH_POINT_FILE: crashPointFile });
  token = await createToken(stack, 'operator');
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  ({ url: api } = await startServe(stack));
}, 180_000);
beforeEach(() => {
  told = [];
  answer = 200;
});
afterAll(async () => {
  await stack.remove();
  receiver.close().closeAllConnections();
});

/** Sends a task whose receiver is told of it. @returns its id */
async function send(): Promise<string> {
  const script = join(path, `.git/script-${randomUUID()}.json`);
  const turns = [{ text: 'Done.' }];
  await writeFile(script, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  const message = {
    messageId: randomUUID(),
    role: 'ROLE_USER',
    parts: [{ text: 'do it' }],
    metadata: { model: `scripted/${script}` },
  };
  const authentication = { scheme: 'Bearer', credentials: 'for the receiver' };
  const configuration = { returnImmediately: true, taskPushNotificationConfig: { url: hook, authentication } };
  const params = { message, configuration };
  return resultOf(await callJsonRpc(api, 'SendMessage', { params, token }), SentJson).task.id;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await delay(50)) {
    if (await isSo()) return;
    if (Date.now() > deadline) throw new Error(`it does not come to that: ${JSON.stringify(told)}`);
  }
}

const whole = ['TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING', 'answer', 'TASK_STATE_COMPLETED'];
const ends = () => told.filter(({ state }) => state === 'TASK_STATE_COMPLETED').length;
/** In the order in which they came first. */
const once = () => [...new Map(told.map(({ event, state }) => [event, state])).values()];

test('a receiver is told of a whole task, in order, with the credentials that the stack has kept under its own key', async () => {
  const taskId = await send();
  await until(() => ends() === 1);
  expect(told.map(({ state }) => state)).toEqual(whole);
  expect(told[0]).toMatchObject({ event: `${taskId}/2`, authorization: 'Bearer for the receiver' });
  const file = join(stack.dataDir, 'secret-key');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(Buffer.from(await readFile(file, 'utf8'), 'base64')).toHaveLength(32);
}, 120_000);

test.each([
  // Nothing was sent.
  ['before:deliverNext', 0],
  ['before:nextPush', 0],
  // It was sent, and nobody knows it: it comes again, known by its id.
  ['before:pushDelivered', 1],
  ['after:pushDelivered', 0],
  ['after:deliverNext', 0],
])(
  'a worker that dies %s leaves out nothing, and what comes twice is known by its id',
  async (point, twice) => {
    await until(async () => (await stack.pids()).has('worker'));
    await writeFile(crashPointFile, point);
    const taskId = await send();
    await until(() => ends() > 0);
    expect(once()).toEqual(whole);
    expect(told).toHaveLength(whole.length + twice);
    expect(new Set(told.map(({ event }) => event.split('/')[0]))).toEqual(new Set([taskId]));
    // It was reached.
    await expect(stat(crashPointFile)).rejects.toThrow('ENOENT');
  },
  120_000,
);

test('what a receiver refuses is a dead letter that the command line lists and replays', async () => {
  answer = 404;
  await send();
  const list = async () => {
    const { stdout } = await stack.cli(['dead-letters', 'list', '--json']);
    return (JSON.parse(stdout) as { dead_letters: { dead_letter_id: string; disabled: boolean }[] }).dead_letters;
  };
  await until(async () => (await list()).length === 3);
  expect((await list()).map(({ disabled }) => disabled)).toEqual([true, true, true]);
  expect((await stack.cli(['dead-letters', 'list'])).stdout).toContain('the receiver has answered with 404');
  expect((await stack.cli(['dead-letters', 'replay'])).code).toBe(2);
  told = [];
  answer = 200;
  const replayed = await stack.cli(['dead-letters', 'replay', '--all']);
  expect([replayed.code, replayed.stderr]).toEqual([0, '3 are delivered again\n']);
  await until(() => ends() === 1 && told.length === whole.length);
  expect(new Set(once())).toEqual(new Set(whole));
  expect(await list()).toEqual([]);
}, 120_000);
