import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../services/stack/ports.ts';
import { chat, chatTool, chatUsage } from '../support/model-events.ts';
import { writeEvents } from '../support/model-server.ts';
import { createExampleRepository, createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const branch = 'feature/due-dates';
let stack: TestStack;
let port: number;

beforeAll(async () => {
  port = await freePort();
  stack = await createTestStack({ OPENAI_COMPATIBLE_BASE_URL: `http://127.0.0.1:${port}/v1` });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

interface Event {
  readonly kind: string;
  readonly story_id: string | null;
  readonly attempt: number | null;
  readonly body: { readonly [name: string]: unknown };
}

async function eventsOf(repository: string): Promise<Event[]> {
  const { stdout } = await stack.cli(['ralph', 'logs', '--json'], { cwd: repository });
  return stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(100)) if (await isSo()) return;
  throw new Error(`within a minute there was no ${what}`);
}

const passedCount = async (repository: string) =>
  Number(await git(repository, 'rev-list', '--count', `main..${branch}`).catch(() => '0'));

/** One commit a story, and every answer of a model once. */
async function expectNothingTwice(repository: string, commits: number): Promise<void> {
  expect(await passedCount(repository)).toBe(commits);
  const answered = (await eventsOf(repository))
    .filter(({ kind }) => kind === 'model-answered')
    .map(({ story_id, attempt, body }) => `${story_id}:${attempt}:${String(body['step'])}`);
  expect(answered).toEqual([...new Set(answered)]);
}

/** Writes a file, then says that it is done. */
function modelServer(): Server {
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isSecond = Buffer.concat(chunks).toString().includes('"role":"tool"');
      writeEvents(
        response,
        isSecond
          ? [chat({ content: 'Done.' }), chat({}, 'stop'), chatUsage]
          : [chatTool('call_0', '{"path":"a.txt","content":"a\\n"}', 'write'), chat({}, 'tool_calls'), chatUsage],
      );
    });
  });
}

test('a provider that is away is waited for, visibly and for nothing, and the run goes on when it is back', async () => {
  const repository = join(await repositoryFolder(), 'one');
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', repository);
  const prd = {
    project: 'one',
    feature: 'wait',
    branch_name: branch,
    quality_checks: { test: 'test -f a.txt || test -f prd.json' },
    user_stories: [{ id: 'US-1', title: 'Write a.txt', description: 'Write it.', acceptance_criteria: [] }],
  };
  await writeFile(join(repository, 'prd.json'), JSON.stringify(prd));
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');

  const run = stack.start(['ralph', 'run', '--model', 'openai-compatible/x', '--json'], { cwd: repository });
  await until(
    'third refusal',
    async () => (await eventsOf(repository)).filter(({ kind }) => kind === 'model-waiting').length >= 3,
  );
  const status = await stack.cli(['ralph', 'status'], { cwd: repository });
  expect(status.stdout).toMatch(
    /waits for openai-compatible \(unreachable\), \d+ s left, nothing is spent|asks openai-compatible again/,
  );
  const server = modelServer().listen(port, '127.0.0.1');
  try {
    const ended = await run.result;
    expect(ended.code, ended.stderr).toBe(0);
    const events = await eventsOf(repository);
    expect(events.filter(({ kind }) => kind === 'story-started')).toHaveLength(1);
    await expectNothingTwice(repository, 1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}, 180_000);

test('a stack that was started without its key waits for it, and the run goes on once it is started with it', async () => {
  const repository = join(await repositoryFolder(), 'keyless');
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', repository);
  const prd = {
    project: 'keyless',
    feature: 'wait',
    branch_name: branch,
    quality_checks: { test: 'true' },
    user_stories: [{ id: 'US-1', title: 'Write a.txt', description: 'Write it.', acceptance_criteria: [] }],
  };
  await writeFile(join(repository, 'prd.json'), JSON.stringify(prd));
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');
  const start = ['ralph', 'run', '--model', 'openai-compatible/x', '--detach'];
  expect((await stack.cli(start, { cwd: repository })).code).toBe(0);
  await until('refusal', async () => (await eventsOf(repository)).some(({ kind }) => kind === 'model-waiting'));

  const url = stack.env['OPENAI_COMPATIBLE_BASE_URL'];
  delete stack.env['OPENAI_COMPATIBLE_BASE_URL'];
  await stack.cli(['down']);
  await stack.cli(['up']);
  const reasons = async () => (await eventsOf(repository)).map(({ body }) => body['reason']);
  await until('wait for the address', async () => (await reasons()).includes('not-configured'));
  // Between two waits it says that it asks again.
  await until('word of it', async () =>
    (await stack.cli(['ralph', 'status'], { cwd: repository })).stdout.includes(
      'waits for openai-compatible (no key or address)',
    ),
  );
  const refused = await stack.cli(['ralph', 'run', '--model', 'openai-compatible/x'], { cwd: repository });
  expect([refused.code, refused.stderr.includes('OPENAI_COMPATIBLE_BASE_URL')]).toEqual([2, true]);

  stack.env['OPENAI_COMPATIBLE_BASE_URL'] = url;
  await stack.cli(['down']);
  const server = modelServer().listen(port, '127.0.0.1');
  try {
    await stack.cli(['up']);
    const ended = await stack.cli(['ralph', 'attach', '--json'], { cwd: repository });
    expect(ended.code, ended.stderr).toBe(0);
    expect((await eventsOf(repository)).filter(({ kind }) => kind === 'story-started')).toHaveLength(1);
    await expectNothingTwice(repository, 1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}, 180_000);

test('a database that is away for more than a minute is waited for', async () => {
  const { path, model } = await createExampleRepository({ delayMs: 250 });
  const run = stack.start(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  await until('first story', async () => (await passedCount(path)) >= 1);
  const pids = await stack.pids();
  const [supervisor, postgres] = [pids.get('supervisor') ?? 0, pids.get('postgres') ?? 0];
  // A supervisor that stands still starts nothing again.
  process.kill(supervisor, 'SIGSTOP');
  process.kill(postgres, 'SIGKILL');
  await delay(65_000);
  process.kill(supervisor, 'SIGCONT');
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  await expectNothingTwice(path, 7);
}, 240_000);

test('a machine that sleeps in the middle goes on where it was', async () => {
  const { path, model } = await createExampleRepository({ delayMs: 250 });
  const run = stack.start(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  await until('first story', async () => (await passedCount(path)) >= 1);
  const pids = [run.pid, ...(await stack.pids()).values()];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await delay(20_000);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  await expectNothingTwice(path, 7);
}, 180_000);
