import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let ports: readonly [number, number];
let token: string;
let folder: string;
let path: string;
const serving = new Map<number, RunningCli>();

async function serve(port: number): Promise<void> {
  const server = stack.start(['serve', '--port', String(port), '--no-grpc']);
  serving.set(port, server);
  for (const deadline = Date.now() + 60_000; ; await delay(100)) {
    const health = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (health?.status === 200) return;
    if (Date.now() > deadline) throw new Error((await server.result).stderr);
  }
}

beforeAll(async () => {
  stack = await createTestStack();
  ports = [await freePort(), await freePort()];
  folder = await repositoryFolder();
  path = join(folder, 'asks');
  await mkdir(path);
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  await writeFile(join(path, 'readme.txt'), 'start\n');
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
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

interface TaskJson {
  readonly id: string;
  readonly status: { readonly state: string; readonly message?: object };
  readonly artifacts?: readonly {
    readonly artifactId: string;
    readonly parts: readonly { readonly text?: string; readonly data?: object }[];
  }[];
}

async function call(port: number, method: string, params: object) {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'a2a-version': '1.0', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as {
    result: { task: TaskJson } & TaskJson;
    error?: { code: number; message: string };
  };
}

const prd = (branch: string) => ({
  project: 'asks',
  feature: branch,
  branch_name: `feature/${branch}`,
  quality_checks: { test: 'true' },
  user_stories: [{ id: 'US-1', title: 'Push', description: 'Push it.', acceptance_criteria: [] }],
});

async function send(branch: string, command: string): Promise<TaskJson> {
  const script = join(path, '.git', `${branch}.yaml`);
  const tools = `[{ tools: [{ name: bash, args: { command: ${JSON.stringify(command)} } }] }, { tools: [{ name: write, args: { path: a.txt, content: a } }] }, { text: Done. }]`;
  await writeFile(script, `version: 1\ndefault: { attempts: [{ turns: ${tools} }] }\n`);
  const message = {
    messageId: randomUUID(),
    role: 'ROLE_USER',
    parts: [{ data: prd(branch) }],
    metadata: { skill: 'ralph', model: `scripted/${script}` },
  };
  const { result, error } = await call(ports[0], 'SendMessage', {
    message,
    configuration: { returnImmediately: true },
  });
  expect(error).toBeUndefined();
  return result.task;
}

async function until(port: number, id: string, state: string): Promise<TaskJson> {
  for (const deadline = Date.now() + 90_000; ; await delay(100)) {
    const { result } = await call(port, 'GetTask', { id });
    if (result.status.state === state) return result;
    if (Date.now() > deadline) throw new Error(JSON.stringify(result));
  }
}

test('a PRD is worked through as a task: what takes an authorization waits for it, and goes on in the same call, over the loss of server and worker', async () => {
  const task = await send('push', 'git push; echo ran >> ran.txt');
  const asked = await until(ports[0], task.id, 'TASK_STATE_AUTH_REQUIRED');
  expect(JSON.stringify(asked.status.message)).toContain('git push; echo ran');
  kill(serving.get(ports[0])?.pid ?? 0);
  await stack.kill('worker');
  const [, other] = ports;
  const answer = { messageId: randomUUID(), role: 'ROLE_USER', taskId: task.id, parts: [{ text: 'approve' }] };
  const refused = await call(other, 'SendMessage', { message: answer });
  expect(refused.error?.message).toContain('approvals:answer');
  const listed = await stack.cli(['approvals', '--json']);
  const { approvals } = JSON.parse(listed.stdout) as { approvals: { id: string }[] };
  const approved = await stack.cli(['approve', approvals[0]?.id ?? '']);
  expect(approved.code, approved.stderr).toBe(0);
  const done = await until(other, task.id, 'TASK_STATE_COMPLETED');
  const parts = Object.fromEntries((done.artifacts ?? []).map((each) => [each.artifactId, each.parts[0]]));
  expect(parts['answer']?.text).toContain('1 of 1 stories have passed');
  expect(parts['changes']?.data).toMatchObject({
    branch: 'feature/push',
    stories: [{ storyId: 'US-1', status: 'passed' }],
  });
  expect(parts['diff']?.text).toContain('+++ b/a.txt');
  expect(await git(path, 'show', 'feature/push:ran.txt')).toBe('ran');
  await serve(ports[0]);
}, 240_000);

test('a task of a run that is canceled ends with its run; a PRD that is not right makes no task', async () => {
  const task = await send('long', 'sleep 60');
  await until(ports[0], task.id, 'TASK_STATE_WORKING');
  for (let runs = ''; !runs.includes('ralph:'); await delay(200)) runs = (await stack.cli(['ralph', 'list'])).stdout;
  const { result, error } = await call(ports[1], 'CancelTask', { id: task.id });
  expect(error).toBeUndefined();
  expect(result.status.state).toBe('TASK_STATE_CANCELED');
  const list = await stack.cli(['ralph', 'list', '--json']);
  expect(list.stdout).toContain('cancelled');
  const message = {
    messageId: randomUUID(),
    role: 'ROLE_USER',
    parts: [{ data: { project: 'x' } }],
    metadata: { skill: 'ralph', model: `scripted/${join(path, '.git', 'long.yaml')}` },
  };
  const bad = await call(ports[0], 'SendMessage', { message });
  expect(bad.error).toMatchObject({ code: -32602, message: expect.stringContaining('user_stories') });
}, 240_000);
