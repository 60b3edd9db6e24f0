import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLongLivedProcesses, type LongLivedProcesses } from '../../activities/process/long-lived.ts';
import { killLeftovers } from '../../activities/process/process-registry.ts';
import { withProcessesEnded } from '../../activities/process/with-processes-ended.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolOutcome } from '../../activities/tools/tool.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

/** In the arguments of processes, of this run of the tests alone. */
const marker = `tools-processes-${process.pid}`;

let workspace: ToolWorkspace;
let processes: LongLivedProcesses;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  processes = open();
});

afterEach(async () => {
  await processes.endAll('run:US-1');
  expect(running(marker)).toBe(false);
  workspace.remove();
});

function open(options: { readonly maxProcesses?: number; readonly idleMs?: number } = {}): LongLivedProcesses {
  const { runCommand } = workspace.context;
  return createLongLivedProcesses({ runCommand, processDir: workspace.processes.processDir, ...options });
}

const call = (name: string, given: Record<string, unknown>, of = processes): Promise<ToolOutcome> =>
  createToolRegistry({ processes: of }).call(name, given, workspace.context);
const exec = (cmd: string, more: Record<string, unknown> = {}) =>
  call('exec_command', { cmd, yield_time_ms: 1_000, ...more });
const stdin = (session_id: number, given: Record<string, unknown> = {}) =>
  call('write_stdin', { session_id, yield_time_ms: 1_000, ...given });

const idOf = ({ output }: ToolOutcome): number => Number(/running with session id (\d{5})\]$/.exec(output)?.[1]);
const running = (text: string): boolean => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(text);

test('a command that ends in time is answered whole', async () => {
  expect(await exec('echo out; echo err >&2', { yield_time_ms: 10_000 })).toEqual({
    ok: true,
    output: 'out\nerr\n[ended, exit code 0]',
    commands: [{ command: 'echo out; echo err >&2', exitCode: 0 }],
  });
  expect(await exec('echo no; exit 3', { yield_time_ms: 10_000 })).toEqual({
    ok: false,
    output: 'no\n[ended, exit code 3]',
    commands: [{ command: 'echo no; exit 3', exitCode: 3 }],
  });
  expect(processes.list('run:US-1')).toEqual([]);
});

test('one that does not goes on, is talked to, and ends when its input does', async () => {
  const started = await exec('echo ready; while read line; do echo "got $line"; done; echo bye');
  expect(started.output).toMatch(/^ready\n\[running with session id \d{5}\]$/);
  const id = idOf(started);
  expect((await stdin(id, { chars: 'a\nb\n' })).output).toBe(`got a\ngot b\n[running with session id ${id}]`);
  expect((await stdin(id)).output).toBe(`(no new output)\n[running with session id ${id}]`);
  expect((await stdin(id, { close_stdin: true, yield_time_ms: 10_000 })).output).toBe('bye\n[ended, exit code 0]');
  expect((await stdin(id)).output).toContain(`there is no session ${id}: it has ended`);
  expect(workspace.lines).toEqual(['ready', 'got a', 'got b', 'bye']);
});

test('a server answers the commands of later calls', async () => {
  writeFileSync(
    path.join(workspace.root, 'serve.mjs'),
    `import { createServer } from 'node:http';
     createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`,
  );
  const started = await exec(`${process.execPath} serve.mjs`, { yield_time_ms: 5_000 });
  const port = /^(\d+)$/m.exec(started.output)?.[1];
  const answer = await call('bash', {
    command: `${process.execPath} -e "fetch('http://127.0.0.1:${port}').then((r) => r.text()).then(console.log)"`,
  });
  expect(answer.output).toBe('hello');
  expect(await stdin(idOf(started), { terminate: true })).toMatchObject({ ok: true });
});

test('the output between two looks is cut in its middle, and the cut is said', async () => {
  const started = await exec('seq 1 200000; echo done; sleep 30', { yield_time_ms: 4_000, max_output_tokens: 500 });
  expect(started.output).toMatch(/^1\n2\n/);
  expect(started.output).toMatch(/\[… \d{7} characters cut here; /);
  expect(started.output).toMatch(/\n200000\ndone\n\[running with/);
  expect(started.output.length).toBeLessThan(2300);
});

test('ending one ends all that it has started', async () => {
  const id = idOf(await exec(`sh -c "sleep 61; true ${marker}" & sh -c "sleep 62; true ${marker}"`));
  expect(running(marker)).toBe(true);
  expect((await stdin(id, { terminate: true })).output).toBe(`session ${id} was ended`);
  expect(running(marker)).toBe(false);
});

test('a call that is cancelled ends its process', async () => {
  const waiting = exec(`sh -c "sleep 63; true ${marker}"`, { yield_time_ms: 30_000 });
  setTimeout(() => workspace.abort.abort(new Error('the run was cancelled')), 500);
  await expect(waiting).rejects.toThrow('the run was cancelled');
  expect(running(marker)).toBe(false);
});

test('nothing runs in a workspace any more when its attempt is looked at, committed, removed or recovered', async () => {
  const attempt = { runId: 'r', storyId: 'US-1', attempt: 1 };
  const id = workspaceId('r', 'US-1');
  const seen: boolean[] = [];
  const look = async () => {
    seen.push(running(marker));
    return undefined as never;
  };
  const names = ['prepareWorkspace', 'inspectChange', 'commitStory', 'removeWorkspace', 'recoverToolCall'] as const;
  const plain = Object.fromEntries(names.map((name) => [name, look])) as Record<(typeof names)[number], typeof look>;
  const activities = withProcessesEnded([processes], plain) as unknown as Record<
    string,
    (input: object) => Promise<void>
  >;
  for (const name of names) {
    const command = `sh -c "sleep 64; true ${marker}"`;
    await processes.start(id, { command, cwd: workspace.root, env: {} });
    await expect.poll(() => running(marker)).toBe(true);
    await activities[name]?.(attempt);
  }
  expect(seen).toEqual([false, false, false, false, false]);
});

test('a process that nobody looks at is ended, and one of a killed worker too', async () => {
  const idle = open({ idleMs: 2_000 });
  const id = await idle.start('run:US-1', {
    command: `sh -c "sleep 65; true ${marker}"`,
    cwd: workspace.root,
    env: {},
  });
  await expect.poll(() => running(marker)).toBe(true);
  await expect.poll(() => running(marker)).toBe(false);
  await expect.poll(() => idle.list('run:US-1')).toEqual([]);
  expect(await idle.end('run:US-1', id ?? 0)).toBe(false);

  const lost = await exec(`sh -c "sleep 66; true ${marker}"`);
  expect(await killLeftovers(workspace.processes.processDir)).toBeGreaterThan(0);
  expect(running(marker)).toBe(false);
  expect((await stdin(idOf(lost))).output).toContain('ended by SIGKILL');
});

test('there are no more than allowed, ids belong to one workspace, and places outside are refused', async () => {
  const few = open({ maxProcesses: 1 });
  const first = await call('exec_command', { cmd: 'sleep 67', yield_time_ms: 250 }, few);
  const second = await call('exec_command', { cmd: 'sleep 67', yield_time_ms: 250 }, few);
  expect(second.output).toContain('too many processes run');
  expect(await few.look('run:US-2', idOf(first), { waitMs: 1, signal: workspace.context.signal })).toBe(undefined);
  await few.endAll('run:US-1');
  expect((await exec('ls', { workdir: '..' })).output).toContain('is not inside the workspace');
});

test('a person is asked about what they would be asked about for bash', () => {
  const { describe } = createToolRegistry({ processes });
  expect(describe('exec_command', { cmd: 'git push' }).ask).toMatchObject({ isSafe: false });
  expect(describe('write_stdin', { session_id: 12_345, chars: 'git push\n' }).ask).toMatchObject({ isSafe: false });
  expect(describe('write_stdin', { session_id: 12_345, chars: 'ls\n' })).toEqual({
    risk: 'shell',
    label: 'write_stdin 12345 "ls\\n"',
  });
});
