import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Role, TaskState } from '@a2a-js/sdk';
import type { SendMessageRequest, StreamResponse, Task } from '@a2a-js/sdk';
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from '@a2a-js/sdk/client';
import type { Client } from '@a2a-js/sdk/client';
import {
  ClientFactory as LegacyClientFactory,
  DefaultAgentCardResolver as LegacyCardResolver,
  JsonRpcTransportFactory as LegacyJsonRpcTransportFactory,
} from 'a2a-js-sdk-0-3/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bindingClient, legacyBindingClient } from '../support/a2a-clients.ts';
import { freePort } from '../support/free-port.ts';
import { reflectedService } from '../support/reflected-service.ts';
import { createTestStack, repositoryFolder } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let ports: readonly [number, number];
let path: string;
let token: string;
const serving = new Map<number, RunningCli>();

async function serve(port: number): Promise<void> {
  const server = stack.start(['serve', '--port', String(port), '--grpc-port', '0']);
  serving.set(port, server);
  for (const deadline = Date.now() + 60_000; ; await delay(100)) {
    const card = await fetch(`http://127.0.0.1:${port}/.well-known/agent-card.json`).catch(() => undefined);
    if (card?.status === 200) return;
    if (Date.now() > deadline) throw new Error((await server.result).stderr);
  }
}

beforeAll(async () => {
  stack = await createTestStack();
  ports = [await freePort(), await freePort()];
  path = join(await repositoryFolder(), 'work');
  await mkdir(path);
  await promisify(execFile)('git', ['init', '--quiet'], { cwd: path });
  const made = await stack.cli(['token', 'create', '--name', 'agent', '--role', 'operator']);
  expect(made.code, made.stderr).toBe(0);
  token = made.stdout.trim();
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  for (const port of ports) await serve(port);
}, 180_000);
afterAll(async () => {
  for (const { pid } of serving.values()) kill(pid);
  await stack.remove();
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

const authorized: typeof fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set('authorization', `Bearer ${token}`);
  return await fetch(input, { ...init, headers });
};

async function client(port: number): Promise<Client> {
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [new JsonRpcTransportFactory({ fetchImpl: authorized })],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl: authorized }),
    }),
  );
  return await factory.createFromUrl(`http://127.0.0.1:${port}`);
}

async function legacyClient(port: number) {
  const factory = new LegacyClientFactory({
    transports: [new LegacyJsonRpcTransportFactory({ fetchImpl: authorized })],
    cardResolver: new LegacyCardResolver({ fetchImpl: authorized }),
  });
  return await factory.createFromUrl(`http://127.0.0.1:${port}`);
}

async function script(turns: readonly object[]): Promise<string> {
  const file = join(path, `.git/script-${randomUUID()}.json`);
  await writeFile(file, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  return `scripted/${file}`;
}

function request(text: string, model: string, more: { taskId?: string; contextId?: string; messageId?: string } = {}) {
  return {
    tenant: '',
    message: {
      messageId: more.messageId ?? randomUUID(),
      contextId: more.contextId ?? '',
      taskId: more.taskId ?? '',
      role: Role.ROLE_USER,
      parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: '' }],
      metadata: { model },
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: undefined,
    metadata: undefined,
  } satisfies SendMessageRequest;
}

async function send(to: Client, wanted: SendMessageRequest): Promise<Task> {
  const result = await to.sendMessage(wanted);
  if (!('id' in result)) throw new Error('it is a message');
  return result;
}

const texts = (task: Task, artifactId: string) =>
  task.artifacts
    .filter((artifact) => artifact.artifactId === artifactId)
    .flatMap(({ parts }) => parts.map(({ content }) => content?.value));

test('a task does real work: its answer and the changed files are its artifacts, a message that comes twice is one task', async () => {
  const write = { name: 'write', args: { path: 'hello.txt', content: 'hello\n' } };
  const model = await script([{ text: 'I write.', tools: [write] }, { text: 'Written.' }]);
  const agent = await client(ports[0]);
  const wanted = request('say hello', model);
  const [one, two] = await Promise.all([send(agent, wanted), send(await client(ports[1]), wanted)]);
  expect(two.id).toBe(one.id);
  expect(one.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(texts(one, 'answer')).toEqual(['Written.']);
  expect(texts(one, 'changes')).toEqual([{ total: 1, files: [{ path: 'hello.txt', change: 'added' }] }]);
  expect(texts(one, 'diff')).toEqual([expect.stringContaining('+++ b/hello.txt')]);
  expect(await readFile(join(path, 'hello.txt'), 'utf8')).toBe('hello\n');
  await expect(agent.cancelTask({ tenant: '', id: one.id, metadata: undefined })).rejects.toThrow(/completed/);
}, 120_000);

test('what the agent asks is answered by a follow-up, on another replica; the context is one session', async () => {
  const ask = { name: 'question', args: { question: 'Which colour?', options: ['red', 'blue'] } };
  const model = await script([{ text: 'I ask.', tools: [ask] }, { text: 'Blue it is.' }]);
  const asked = await send(await client(ports[0]), request('paint it', model));
  expect(asked.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  expect(JSON.stringify(asked.status?.message)).toContain('Which colour?');
  const other = await client(ports[1]);
  await expect(send(other, request('green', model, { taskId: asked.id }))).rejects.toThrow(/red, blue|red|blue/);
  const done = await send(other, request('blue', model, { taskId: asked.id }));
  expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(texts(done, 'answer')).toEqual(['Blue it is.']);
  const again = await send(
    await client(ports[0]),
    request('once more', await script([{ text: 'Again.' }]), { contextId: asked.contextId }),
  );
  expect([again.contextId, again.id === asked.id]).toEqual([asked.contextId, false]);
  const listed = await stack.cli(['sessions', 'list', '--json'], { cwd: path });
  const { sessions } = JSON.parse(listed.stdout) as { sessions: { title: string; turns: number }[] };
  expect(sessions).toContainEqual(expect.objectContaining({ title: 'paint it', turns: 2 }));
}, 120_000);

test('a canceled task is canceled when its work has ended, and cannot be canceled again', async () => {
  const model = await script([
    { text: 'I wait.', tools: [{ name: 'bash', args: { command: 'echo on > busy.txt; sleep 60' } }] },
  ]);
  const agent = await client(ports[0]);
  const wanted = { ...request('wait', model), configuration: { ...noWait } };
  const begun = await send(agent, wanted);
  await appears('busy.txt');
  const canceled = await (await client(ports[1])).cancelTask({ tenant: '', id: begun.id, metadata: undefined });
  expect(canceled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
  await expect(agent.cancelTask({ tenant: '', id: begun.id, metadata: undefined })).rejects.toThrow(/canceled/);
}, 120_000);

const noWait = { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: true };

async function appears(file: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await delay(50)) {
    if ((await readFile(join(path, file), 'utf8').catch(() => '')) !== '') return;
    if (Date.now() > deadline) throw new Error(`${file} does not appear`);
  }
}

/** Work during which there is time for a kill, and where it says that it has begun. */
async function slow(name: string): Promise<{ readonly log: string; readonly model: string }> {
  const log = `log-${name}.txt`;
  const bash = { name: 'bash', args: { command: `echo ran >> ${log}; sleep 3` } };
  return { log, model: await script([{ text: 'I run.', tools: [bash] }, { text: 'Ran.' }]) };
}

async function killWorkAt(port: number): Promise<void> {
  kill(serving.get(port)?.pid ?? 0);
  await stack.kill('worker');
}

test.each(['JSONRPC', 'HTTP+JSON', 'GRPC'] as const)(
  'a server and the worker are killed in the middle, over %s: on the other server nothing is missed or doubled',
  async (binding) => {
    const reach = async (port: number) =>
      binding === 'JSONRPC'
        ? await client(port)
        : await bindingClient({ url: `http://127.0.0.1:${port}`, token, binding });
    const { log, model } = await slow(binding.slice(0, 4));
    const [first, second] = ports;
    const begun = await send(await reach(first), { ...request('run it', model), configuration: noWait });
    await appears(log);
    await killWorkAt(first);
    const other = await reach(second);
    const seen: StreamResponse[] = [];
    for await (const event of other.resubscribeTask({ tenant: '', id: begun.id })) seen.push(event);
    const shown = seen.map(({ payload }) =>
      payload?.$case === 'artifactUpdate'
        ? payload.value.artifact?.artifactId
        : payload?.$case === 'message'
          ? 'message'
          : TaskState[payload?.value.status?.state ?? 0],
    );
    expect(shown).toEqual(['TASK_STATE_WORKING', 'answer', 'changes', 'diff', 'TASK_STATE_COMPLETED']);
    expect(await readFile(join(path, log), 'utf8')).toMatch(/^ran\n$/);
    await serve(first);
    const again = await (await reach(first)).getTask({ tenant: '', id: begun.id });
    expect(texts(again, 'answer')).toEqual(['Ran.']);
    await expect(collect(other.resubscribeTask({ tenant: '', id: begun.id }))).rejects.toThrow();
  },
  180_000,
);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test.each(['JSONRPC', 'HTTP+JSON', 'GRPC'] as const)(
  'a client of 0.3 over %s does a whole job: it streams one task and is told of it as 0.3 does',
  async (binding) => {
    const url = `http://127.0.0.1:${ports[1]}`;
    const agent =
      binding === 'JSONRPC' ? await legacyClient(ports[1]) : await legacyBindingClient({ url, token, binding });
    const model = await script([{ text: 'Done as of old.' }]);
    const message = {
      kind: 'message' as const,
      messageId: randomUUID(),
      role: 'user' as const,
      parts: [{ kind: 'text' as const, text: 'do it' }],
      metadata: { model },
    };
    const events = await collect(agent.sendMessageStream({ message }));
    expect(events[0]?.kind).toBe('task');
    expect(events.at(-1)).toMatchObject({ kind: 'status-update', final: true, status: { state: 'completed' } });
    const task = events[0]?.kind === 'task' ? events[0] : undefined;
    expect(await agent.getTask({ id: task?.id ?? '' })).toMatchObject({
      artifacts: [{ artifactId: 'answer', parts: [{ kind: 'text', text: 'Done as of old.' }] }],
    });
  },
  120_000,
);

test.each(['JSONRPC', 'HTTP+JSON', 'GRPC'] as const)(
  'a server and the worker are killed under a client of 0.3 over %s: it goes on at the other server',
  async (binding) => {
    const reach = async (port: number) =>
      binding === 'JSONRPC'
        ? await legacyClient(port)
        : await legacyBindingClient({ url: `http://127.0.0.1:${port}`, token, binding });
    const { log, model } = await slow(`legacy-${binding.slice(0, 4)}`);
    const message = {
      kind: 'message' as const,
      messageId: randomUUID(),
      role: 'user' as const,
      parts: [{ kind: 'text' as const, text: 'run it' }],
      metadata: { model },
    };
    const begun = await (await reach(ports[0])).sendMessage({ message, configuration: { blocking: false } });
    const id = begun.kind === 'task' ? begun.id : '';
    await appears(log);
    await killWorkAt(ports[0]);
    const other = await reach(ports[1]);
    const events = await collect(other.resubscribeTask({ id }));
    const shown = events.map((event) =>
      event.kind === 'artifact-update'
        ? event.artifact.artifactId
        : 'status' in event
          ? event.status.state
          : event.kind,
    );
    expect(shown).toEqual(['working', 'answer', 'changes', 'diff', 'completed']);
    expect(await readFile(join(path, log), 'utf8')).toMatch(/^ran\n$/);
    await serve(ports[0]);
  },
  180_000,
);

test('a client that knows a service by reflection alone does a whole job, over the loss of server and worker', async () => {
  const reach = async (port: number) => {
    const read = await fetch(`http://127.0.0.1:${port}/.well-known/agent-card.json`);
    const card = (await read.json()) as { supportedInterfaces: { url: string; protocolBinding: string }[] };
    const { url } = card.supportedInterfaces.find(({ protocolBinding }) => protocolBinding === 'GRPC') ?? { url: '' };
    return await reflectedService({ address: url, token, service: 'lf.a2a.v1.A2AService' });
  };
  const { log, model } = await slow('reflected');
  const first = await reach(ports[0]);
  const message = {
    messageId: randomUUID(),
    role: 'ROLE_USER',
    parts: [{ text: 'run it' }],
    metadata: { fields: { model: { stringValue: model } } },
  };
  const [begun] = await first.call('SendMessage', { message, configuration: { returnImmediately: true } });
  const { id } = (begun?.['task'] ?? {}) as { id: string };
  await appears(log);
  await killWorkAt(ports[0]);
  first.close();
  const other = await reach(ports[1]);
  const events = await other.call('SubscribeToTask', { id });
  expect(events.map((event) => Object.keys(event)[0])).toEqual([
    'task',
    'artifactUpdate',
    'artifactUpdate',
    'artifactUpdate',
    'statusUpdate',
  ]);
  const [done] = await other.call('GetTask', { id });
  expect(done).toMatchObject({
    status: { state: 'TASK_STATE_COMPLETED' },
    artifacts: [{ parts: [{ text: 'Ran.' }] }, {}, {}],
  });
  expect(await readFile(join(path, log), 'utf8')).toMatch(/^ran\n$/);
  other.close();
  await serve(ports[0]);
}, 180_000);
