import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMcpClient, mcpClients } from '../support/mcp-clients.ts';
import type { McpClientKind, McpServerPlace, TestMcpClient } from '../support/mcp-clients.ts';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack, git, program, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let token: string;
let server: Serving;

beforeAll(async () => {
  stack = await createTestStack();
  token = await createToken(stack, 'admin');
  server = await startServe(stack);
}, 120_000);
afterAll(async () => {
  await stack.remove();
});

const overHttp = (): McpServerPlace => ({
  kind: 'http',
  url: `${server.url}/mcp`,
  headers: { authorization: `Bearer ${token}` },
});
const overStdio = (): McpServerPlace => ({
  kind: 'stdio',
  command: program,
  args: ['mcp', 'serve'],
  env: Object.fromEntries(
    Object.entries(stack.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ),
});

interface Job {
  readonly prdPath: string;
  readonly model: string;
  readonly path: string;
}

/** A repository in a named workspace, with a story whose agent asks before it pushes. */
async function pushingRepository(name: string): Promise<Job> {
  const folder = await repositoryFolder();
  const path = join(folder, name);
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  const story = { id: 'US-1', title: 'Push', description: 'Push it.', acceptance_criteria: [] };
  const prd = {
    project: name,
    feature: 'push',
    branch_name: 'feature/asks',
    quality_checks: { test: 'true' },
    user_stories: [story],
  };
  await writeFile(join(path, 'prd.json'), JSON.stringify(prd));
  const push = '{ name: bash, args: { command: "git push; echo ran > ran.txt" } }';
  const write = '{ name: write, args: { path: a.txt, content: a } }';
  const script = join(path, 'script.yaml');
  await writeFile(
    script,
    `version: 1\ndefault: { attempts: [{ turns: [{ tools: [${push}] }, { tools: [${write}] }, { text: Done. }] }] }\n`,
  );
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  return { path, prdPath: join(path, 'prd.json'), model: `scripted/${script}` };
}

interface Approvals {
  readonly approvals: readonly { readonly id: string; readonly runId: string; readonly question: string }[];
}

async function asked(client: TestMcpClient, runId: string): Promise<Approvals['approvals'][number]> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const { approvals } = (await client.call('list_approvals')).value as Approvals;
    const mine = approvals.find((each) => each.runId === runId);
    if (mine !== undefined) return mine;
  }
  throw new Error('nothing was asked within a minute');
}

/** A run that waits for a person. */
async function waitingRun(): Promise<{ readonly runId: string }> {
  const { prdPath, model } = await pushingRepository('left-alone');
  const given = JSON.stringify({ prdPath, model, onAsk: 'wait' });
  const { stdout, stderr } = await stack.cli(['mcp', 'call', 'start_run', '--arguments', given]);
  expect(stdout, stderr).not.toBe('');
  const { runId } = (JSON.parse(stdout) as { run: { runId: string } }).run;
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(200)) {
    if ((await stack.cli(['approvals', '--json'])).stdout.includes(runId)) break;
  }
  return { runId };
}

/** Starts, watches, approves and reads the result. */
async function wholeJob(
  client: TestMcpClient,
  name: string,
  duringWait: (leave: () => void) => Promise<void> = async () => undefined,
) {
  const { prdPath, model, path } = await pushingRepository(name);
  const started = await client.call('start_run', { prdPath, model, onAsk: 'wait' });
  expect(started, started.text).toMatchObject({ isError: false, value: { kind: 'started' } });
  const { runId } = (started.value as { run: { runId: string } }).run;
  const told: string[] = [];
  const left = new AbortController();
  const waiting = client
    .call(
      'wait_for_run',
      { runId, waitMs: 100_000 },
      { onProgress: (message) => told.push(message), signal: left.signal },
    )
    .catch((error: unknown) => ({ isError: true, text: String(error), value: undefined }));
  const { id, question } = await asked(client, runId);
  expect(question).toContain('git push');
  await duringWait(() => left.abort());
  const answered = await client.call('answer_approval', { id, choice: 'approve' });
  expect(answered, answered.text).toMatchObject({ isError: false, value: { state: 'answered' } });
  return { runId, path, told, waited: await waiting };
}

const places: readonly (readonly [McpClientKind, string, () => McpServerPlace])[] = mcpClients.flatMap((kind) => [
  [kind, 'HTTP', overHttp] as const,
  [kind, 'stdio', overStdio] as const,
]);

test.each(places)(
  '%s over %s: a run is started, watched, approved and read',
  async (kind, way, place) => {
    const client = await connectMcpClient(kind, place());
    const { runId, path, told, waited } = await wholeJob(client, `${kind}-${way}`.toLowerCase().replace(' ', '-'));
    expect(waited, waited.text).toMatchObject({
      isError: false,
      value: { ended: true, run: { status: 'completed', passed: 1 } },
    });
    expect(told).toContain('US-1: story-passed');
    expect(JSON.parse(await client.read(`codetether://runs/${encodeURIComponent(runId)}`))).toMatchObject({
      runId,
      passed: 1,
    });
    expect((await git(path, 'ls-tree', '--name-only', 'feature/asks')).split('\n')).toContain('ran.txt');
    await client.close();
  },
  120_000,
);

test('over stdio a wait outlives a kill -9 of the API, and over HTTP a further wait finds the run', async () => {
  const local = await connectMcpClient('v2 modern', overStdio());
  const kill = async (): Promise<void> => {
    await stack.kill('api');
    // A call that is no wait says that the API does not answer, until its supervisor has started it again.
    let down = 0;
    for (; (await local.call('list_approvals')).isError; await delay(100)) down += 1;
    expect(down).toBeGreaterThan(0);
  };
  const { waited } = await wholeJob(local, 'killed-socket', kill);
  expect(waited, waited.text).toMatchObject({ isError: false, value: { ended: true, run: { status: 'completed' } } });
  await local.close();

  const remote = await connectMcpClient('v2 modern', overHttp());
  const again = await wholeJob(remote, 'killed-address', async (leave) => {
    await server.kill();
    leave();
    await delay(500);
    await server.restart();
  });
  expect(again.waited.isError).toBe(true);
  const found = await remote.call('wait_for_run', { runId: again.runId, waitMs: 60_000 });
  expect(found.value).toMatchObject({ ended: true, run: { status: 'completed', passed: 1 } });
  await remote.close();
}, 180_000);

test('an agent is asked over stdio, and its answer comes with the call', async () => {
  const folder = await repositoryFolder();
  const script = join(folder, 'script.json');
  const bash = { name: 'bash', args: { command: 'echo ran >> log.txt' } };
  const turns = [{ text: 'I look.', tools: [bash] }, { text: 'Looked.' }];
  await writeFile(script, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  const client = await connectMcpClient('v2 legacy', overStdio());
  const given = { folder, text: 'look', model: `scripted/${script}`, waitMs: 60_000 };
  const { value, text } = await client.call('start_session', given);
  expect(value, text).toMatchObject({ turn: { outcome: 'completed', text: 'Looked.' } });
  expect(await readFile(join(folder, 'log.txt'), 'utf8')).toBe('ran\n');
  await client.close();
});

test('over stdio nothing but the protocol is written to stdout, and the process ends with its stdin', async () => {
  const { runId } = await waitingRun();
  const child = spawn(program, ['mcp', 'serve'], { env: stack.env, stdio: ['pipe', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const said = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 'test', version: '1' };
  child.stdin.write('this is no message\n');
  said({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  said({ method: 'notifications/initialized' });
  const wait = { name: 'wait_for_run', arguments: { runId, waitMs: 600_000 }, _meta: { progressToken: 1 } };
  said({ id: 2, method: 'tools/call', params: wait });
  for (const deadline = Date.now() + 20_000; !stdout.includes('"id":1'); await delay(50)) {
    if (Date.now() > deadline) throw new Error(stdout);
  }
  await delay(500);
  child.stdin.end();
  expect(await ended).toBe(0);
  const messages = stdout.trim().split('\n');
  for (const message of messages) expect(JSON.parse(message)).toMatchObject({ jsonrpc: '2.0' });
  const run = JSON.parse(
    (await stack.cli(['mcp', 'call', 'get_run', '--arguments', JSON.stringify({ runId })])).stdout,
  ) as {
    readonly status: string;
  };
  expect(run.status).toBe('running');
  const cancel = await stack.cli(['mcp', 'call', 'cancel_run', '--arguments', JSON.stringify({ runId })]);
  expect(cancel.code, cancel.stderr).toBe(0);
});

test('the command line lists the tools, calls them, and says what it does not take', async () => {
  const listed = await stack.cli(['mcp', 'list-tools', '--json']);
  const { tools } = JSON.parse(listed.stdout) as { readonly tools: readonly { readonly name: string }[] };
  expect(tools.length).toBeGreaterThanOrEqual(30);
  const called = await stack.cli(['mcp', 'call', 'get_readiness']);
  expect(JSON.parse(called.stdout)).toEqual({ ready: true, database: true, engine: true, worker: true });
  const missing = await stack.cli(['mcp', 'call', 'get_run', '--arguments', '{"runId":"no-such-run"}']);
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('[not-found]')]);
  for (const args of [
    ['get_runs'],
    ['get_run'],
    ['get_run', '--arguments', '{'],
    ['get_run', '--arguments', '{"id":1}'],
  ]) {
    expect((await stack.cli(['mcp', 'call', ...args])).code).toBe(2);
  }
});
