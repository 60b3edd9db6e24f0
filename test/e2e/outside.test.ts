import { execFileSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mcpServerProgram } from '../support/mcp-server.ts';
import { createTestStack, git } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-outside-')));
  const config = join(folder, 'config', 'codetether');
  await mkdir(config, { recursive: true });
  const mine = { ...mcpServerProgram, env: { KEY: '${OUTSIDE_TOKEN}' } };
  await writeFile(join(config, 'config.yaml'), JSON.stringify({ mcpServers: { mine } }));
  stack = await createTestStack({ XDG_CONFIG_HOME: join(folder, 'config'), OUTSIDE_TOKEN: 'tok-outside' });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Turn {
  readonly text: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

let count = 0;

/** A repository, and a model that plays these turns in a session, and makes a file in each story. */
async function repository(turns: readonly Turn[]) {
  const place = join(folder, `place-${++count}`);
  const path = join(place, 'work');
  await mkdir(path, { recursive: true });
  await git(path, 'init', '--quiet', '--initial-branch', 'main');
  await writeFile(join(path, 'README.md'), 'a project\n');
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  const script = join(place, 'script.json');
  const write = { name: 'write', args: { path: '{{story}}.txt', content: 'done' } };
  const inStory = { attempts: [{ turns: [{ text: '', tools: [write] }, { text: 'Done.' }] }] };
  const stories = { main: { attempts: [{ turns }] } };
  await writeFile(script, JSON.stringify({ version: 1, stories, default: inStory }));
  const run = (...args: readonly string[]) => ['run', 'go', '--model', `scripted/${script}`, ...args];
  return { path, run, cli: async (...args: readonly string[]) => await stack.cli(args, { cwd: path }) };
}

const mcp = (tool_name: string, given: object = {}, server = 'mine') => ({
  name: 'mcp',
  args: { action: 'call_tool', server, tool_name, arguments: given },
});

test("a session uses the user's MCP server, and a project's when it is trusted; keys are shown nowhere", async () => {
  const calls = [
    mcp('echo', { text: 'hello' }),
    mcp('variable', { name: 'KEY' }),
    mcp('echo', { text: 'its' }, 'theirs'),
  ];
  const { path, run, cli } = await repository([{ text: '', tools: calls }, { text: 'said' }]);
  await writeFile(join(path, '.mcp.json'), JSON.stringify({ mcpServers: { theirs: mcpServerProgram } }));
  const said = await cli(...run());
  expect(said.stdout, said.stderr).toBe('said\n');
  expect(said.stderr).toContain('ignored: .mcp.json of');
  const shown = (await cli('sessions', 'show', '-v')).stdout;
  expect(shown).toContain('hello');
  expect(shown).toContain('[redacted]');
  expect(shown).not.toContain('tok-outside');
  expect(shown).toContain('there is no server "theirs"');
  expect((await cli('trust')).stdout).toContain(`server         theirs: ${mcpServerProgram.command}`);
  expect((await cli(...run())).stderr).not.toContain('ignored');
  expect((await cli('sessions', 'show', '-v')).stdout).not.toContain('there is no server');
}, 120_000);

test('a call that loses its worker is not made again, and its server ends', async () => {
  const { run, path, cli } = await repository([{ text: '', tools: [mcp('slow')] }, { text: 'looked' }]);
  const going = stack.start(run(), { cwd: path });
  await expect.poll(() => existsSync(join(path, 'begun')), { timeout: 60_000 }).toBe(true);
  expect(serversOf(path)).toBe(1);
  await stack.kill('worker');
  const ended = await going.result;
  expect(ended.stdout, ended.stderr).toBe('looked\n');
  expect(serversOf(path)).toBe(0);
  expect((await cli('sessions', 'show', '-v')).stdout).toContain('interrupted: the worker was lost');
}, 120_000);

test('an agent saves a PRD and starts a run of it, when a person agrees; the run goes on by itself', async () => {
  const content = {
    project: 'p',
    feature: 'two files',
    quality_checks: { test: 'true' },
    user_stories: [
      { id: 'A', title: 'Make A', description: 'a' },
      { id: 'B', title: 'Make B', description: 'b', depends_on: ['A'] },
    ],
  };
  const { path, run, cli } = await repository([
    { text: '', tools: [{ name: 'prd', args: { action: 'save', content } }] },
    { text: '', tools: [{ name: 'ralph', args: { action: 'run', max_cost: 2 } }] },
    { text: '', tools: [{ name: 'ralph', args: { action: 'status' } }] },
    { text: 'started' },
  ]);
  const denied = await cli(...run());
  expect(denied.stdout, denied.stderr).toBe('started\n');
  expect((await cli('sessions', 'show', '-v')).stdout).toContain('there is no run of prd.json');

  const going = stack.start(run('--on-ask', 'wait'), { cwd: path });
  const { id, question } = await asked();
  expect(question).toContain('it starts a run of prd.json that may spend $2');
  expect((await cli('approve', id)).code).toBe(0);
  const ended = await going.result;
  expect(ended.stdout, ended.stderr).toBe('started\n');
  expect((await cli('sessions', 'show', '-v')).stdout).toContain('codetether ralph attach ralph:work-');
  expect((await cli('sessions', 'show', '-v')).stdout).toMatch(/ralph:work-\w{6}:two-files, execution 1: \w+, \d of 2/);
  const watched = await cli('ralph', 'attach', '--json');
  expect(watched.code, watched.stderr).toBe(0);
  expect(await git(path, 'log', '--format=%s', 'feature/two-files')).toContain('Make B');
}, 180_000);

/** MCP servers that run in the folder. */
function serversOf(path: string): number {
  const [program = ''] = mcpServerProgram.args;
  const processes = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return processes.filter((line) => {
    const [pid = '', command, ...args] = line.trim().split(' ');
    return command === mcpServerProgram.command && args[0] === program && folderOf(pid) === path;
  }).length;
}

function folderOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

interface Asked {
  readonly approvals: readonly { readonly id: string; readonly question: string }[];
}

async function asked(): Promise<Asked['approvals'][number]> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const { stdout } = await stack.cli(['approvals', '--json']);
    const [first] = (JSON.parse(stdout) as Asked).approvals;
    if (first !== undefined) return first;
  }
  throw new Error('nothing was asked within a minute');
}
