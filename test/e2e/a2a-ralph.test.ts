import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SentJson, TaskJson, callJsonRpc, resultOf } from '../support/a2a-json-rpc.ts';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let servers: readonly [Serving, Serving];
let token: string;
let folder: string;
let path: string;

beforeAll(async () => {
  stack = await createTestStack();
  folder = await repositoryFolder();
  path = join(folder, 'asks');
  await mkdir(path);
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  await writeFile(join(path, 'readme.txt'), 'start\n');
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  token = await createToken(stack, 'operator');
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  servers = [await startServe(stack), await startServe(stack)];
}, 180_000);
afterAll(async () => {
  await stack.remove();
});

const call = async ({ url }: Serving, method: string, params: object) =>
  await callJsonRpc(url, method, { params, token });

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
  const params = { message, configuration: { returnImmediately: true } };
  return resultOf(await call(servers[0], 'SendMessage', params), SentJson).task;
}

async function until(server: Serving, id: string, state: string): Promise<TaskJson> {
  for (const deadline = Date.now() + 90_000; ; await delay(100)) {
    const task = resultOf(await call(server, 'GetTask', { id }), TaskJson);
    if (task.status.state === state) return task;
    if (Date.now() > deadline) throw new Error(JSON.stringify(task));
  }
}

test('a PRD is worked through as a task: what takes an authorization waits for it, and goes on in the same call, over the loss of server and worker', async () => {
  const task = await send('push', 'git push; echo ran >> ran.txt');
  const asked = await until(servers[0], task.id, 'TASK_STATE_AUTH_REQUIRED');
  expect(JSON.stringify(asked.status.message)).toContain('git push; echo ran');
  await servers[0].kill();
  await stack.kill('worker');
  const [, other] = servers;
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
  await servers[0].restart();
}, 240_000);

test('a task of a run that is canceled ends with its run; a PRD that is not right makes no task', async () => {
  const task = await send('long', 'sleep 60');
  await until(servers[0], task.id, 'TASK_STATE_WORKING');
  for (let runs = ''; !runs.includes('ralph:'); await delay(200)) runs = (await stack.cli(['ralph', 'list'])).stdout;
  const canceled = resultOf(await call(servers[1], 'CancelTask', { id: task.id }), TaskJson);
  expect(canceled.status.state).toBe('TASK_STATE_CANCELED');
  const list = await stack.cli(['ralph', 'list', '--json']);
  expect(list.stdout).toContain('cancelled');
  const message = {
    messageId: randomUUID(),
    role: 'ROLE_USER',
    parts: [{ data: { project: 'x' } }],
    metadata: { skill: 'ralph', model: `scripted/${join(path, '.git', 'long.yaml')}` },
  };
  const bad = await call(servers[0], 'SendMessage', { message });
  expect(bad.error).toMatchObject({ code: -32602, message: expect.stringContaining('user_stories') });
}, 240_000);
