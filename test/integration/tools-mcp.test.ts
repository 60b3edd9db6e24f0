import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMcpServers, type McpServers, type McpServersOptions } from '../../activities/mcp/mcp-servers.ts';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import type { LocalMcpServer, McpServer } from '../../domain/session/mcp-servers.ts';
import { createExtensionReader } from '../../services/config/extensions.ts';
import { createMcpCallPolicies } from '../../services/config/mcp-servers.ts';
import { loadConfig } from '../../services/config/config.ts';
import { keepTrust, readProject } from '../../services/config/trust.ts';
import { mcpServerProgram, startHttpMcpServer, type HttpMcpServer } from '../support/mcp-server.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

const timeout = { timeout: 60_000 };

let workspace: ToolWorkspace;
let servers: McpServers;
const opened: McpServers[] = [];

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  servers = open([local('test')]);
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ endAll }) => endAll('run:US-1')));
  const running = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  expect(running.filter((line) => line.includes(workspace.processes.processDir))).toEqual([]);
  workspace.remove();
});

function local(name: string, args: readonly string[] = [], env: LocalMcpServer['env'] = {}): LocalMcpServer {
  const { command, args: program } = mcpServerProgram;
  return { kind: 'local', name, from: 'user', command, args: [...program, ...args], env };
}

function open(configured: readonly McpServer[], options: Partial<McpServersOptions> = {}): McpServers {
  const made = createMcpServers({
    configured: async () => configured,
    environment: {},
    runCommand: workspace.context.runCommand,
    processDir: workspace.processes.processDir,
    ...options,
  });
  opened.push(made);
  return made;
}

const mcp = (action: string, given: Record<string, unknown> = {}) =>
  createToolRegistry({ mcp: servers }).call(
    'mcp',
    { action, ...(given['command'] === undefined ? { server: 'test' } : {}), ...given },
    workspace.context,
  );
const use = (tool_name: string, given: Record<string, unknown> = {}, more: Record<string, unknown> = {}) =>
  mcp('call_tool', { tool_name, arguments: given, ...more });

test('the tools and resources of a server are listed, used and read', timeout, async () => {
  const listed = (await mcp('list_tools')).output;
  expect(listed).toContain('Ask for echo first.');
  expect(listed).toContain('11 tools:\necho(text*, times): does echo\n');
  expect((await mcp('list_tools', { query: 'garb' })).output).toContain('1 of 11 tools:\ngarbage(): does garbage');
  expect((await mcp('list_tools', { tool_name: 'echo' })).output).toContain('"required":["text"]');
  expect(await use('echo', { text: 'hello' })).toEqual({ ok: true, output: 'hello' });
  expect(await use('fail')).toEqual({ ok: false, output: 'error: there is no paper' });
  expect((await mcp('list_resources')).output).toContain('2 resources:\ntest://notes notes: some notes');
  expect(await mcp('read_resource', { resource_uri: 'test://notes' })).toEqual({
    ok: true,
    output: 'remember the milk',
  });
});

test('what is no text is named, and what is long is cut', timeout, async () => {
  expect((await use('picture')).output).toBe(
    '[image image/png, 300 bytes, not shown]\n[test://b: application/zip, 3 bytes, not shown]',
  );
  expect((await mcp('read_resource', { resource_uri: 'test://picture' })).output).toContain('image/png, 3 bytes');
  const large = await use('large');
  expect(large.output.length).toBeLessThan(30_300);
  expect(large.output).toContain('characters cut here');
});

test('one server serves a workspace until it ends, and another one after that', timeout, async () => {
  const first = (await use('pid')).output;
  expect((await use('pid')).output).toBe(first);
  const crashed = await use('crash');
  expect(crashed.ok).toBe(false);
  expect(crashed.output).toContain('what the server has done is unknown');
  expect(crashed.output).toContain('it said: out of paper exit code 3');
  expect((await use('pid')).output).not.toBe(first);
});

test('a server that nobody uses is ended', timeout, async () => {
  servers = open([local('test')], { idleMs: 100 });
  const pid = Number((await use('pid')).output);
  await expect.poll(() => isAlive(pid)).toBe(false);
});

test('a server ends with its workspace, and what it has started with it', timeout, async () => {
  const file = path.join(workspace.root, 'child');
  servers = open([local('test', ['--child', file])]);
  const pids = [Number((await use('pid')).output), Number(readFileSync(file, 'utf8'))];
  expect(pids.map(isAlive)).toEqual([true, true]);
  await servers.endAll('run:US-1');
  await expect.poll(() => pids.map(isAlive)).toEqual([false, false]);
});

test('what a server prints besides messages does no harm', timeout, async () => {
  expect(await use('garbage')).toEqual({ ok: true, output: 'said it' });
  expect(await use('flood')).toEqual({ ok: true, output: 'flooded' });
  expect(await use('echo', { text: 'still there' })).toEqual({ ok: true, output: 'still there' });
});

test('a server that never answers costs the time that was given, and is told', timeout, async () => {
  const late = await use('slow', {}, { timeout: 1 });
  expect(late.output).toContain('did not answer within 1 s');
  await expect.poll(() => existsSync(path.join(workspace.root, 'cancelled'))).toBe(true);
  servers = open([local('test', ['--mute'])], { startTimeoutMs: 500 });
  expect((await use('echo', { text: '' })).output).toContain(
    'could not be started or reached: it was not ready in time',
  );
});

test('a call that is cancelled ends at once, and the server is told', timeout, async () => {
  const call = use('slow');
  await expect.poll(() => existsSync(path.join(workspace.root, 'begun'))).toBe(true);
  workspace.abort.abort(new Error('stopped'));
  await expect(call).rejects.toThrow('stopped');
  await expect.poll(() => existsSync(path.join(workspace.root, 'cancelled'))).toBe(true);
});

test('a server that cannot be started says why', timeout, async () => {
  servers = open([local('test', ['--dead'])]);
  expect((await mcp('list_tools')).output).toMatch(
    /could not be started or reached: .*it said: no licence exit code 1/,
  );
  servers = open([{ ...local('test'), command: 'no-such-program' }]);
  expect((await mcp('list_tools')).output).toContain('no-such-program');
});

test('a server of the old revisions is spoken to in its own way', timeout, async () => {
  servers = open([local('test', ['--legacy'])]);
  expect(await use('echo', { text: 'old' })).toEqual({ ok: true, output: 'old' });
});

test('hundreds of tools fit, and those that come later are there', timeout, async () => {
  servers = open([local('test', ['--tools', '500'])]);
  const listed = (await mcp('list_tools')).output;
  expect(listed).toContain('511 tools:');
  expect(listed.length).toBeLessThan(30_300);
  expect((await mcp('list_tools', { query: 'tool_499' })).output).toContain('tool_499()');
  expect((await use('grown')).ok).toBe(false);
  await use('grow');
  expect(await use('grown')).toEqual({ ok: true, output: 'here I am' });
  expect((await mcp('list_tools', { query: 'grown' })).output).toContain('1 of 512 tools');
});

test('a server has the variables that its entry names, and no other secret; none is shown', timeout, async () => {
  const env = { ISSUES_TOKEN: '${MINE}', PLAIN: '${UNSET:-as written}' };
  servers = open([local('test', [], env)], { environment: { MINE: 'tok-123456' } });
  expect((await use('variable', { name: 'ISSUES_TOKEN' })).output).toBe('[redacted]');
  expect((await use('variable', { name: 'PLAIN' })).output).toBe('as written');
  expect((await use('variable', { name: 'OPENAI_API_KEY' })).output).toBe('(unset)');
  servers = open([local('test', [], { A: '${NOWHERE}' })]);
  expect((await use('pid')).output).toContain("needs NOWHERE, which this host's environment has not");
});

test(
  'a program that nobody has configured is started when its command can be read, and asked about',
  timeout,
  async () => {
    const command = [mcpServerProgram.command, ...mcpServerProgram.args];
    expect(await use('echo', { text: 'a' }, { command })).toEqual({ ok: true, output: 'a' });
    const line = command.map((word) => `'${word}'`).join(' ');
    expect(await use('echo', { text: 'b' }, { command: line })).toEqual({ ok: true, output: 'b' });
    expect((await use('echo', {}, { command: 'echo $HOME | sh' })).output).toContain('no shell reads it');
    const { ask, risk } = createToolRegistry({ mcp: servers }).describe('mcp', {
      action: 'list_tools',
      command: 'npx x',
    });
    expect(risk).toBe('shell');
    expect(ask).toEqual({ why: 'it starts a program as a server, which nobody has configured', isSafe: false });
  },
);

test('an unknown server or tool is answered with the nearest', timeout, async () => {
  expect((await mcp('list_tools', { server: 'tesst' })).output).toContain('did you mean test? Servers: test');
  expect((await mcp('list_tools', { tool_name: 'ecko' })).output).toContain('did you mean echo?');
  const { call } = createToolRegistry({ mcp: servers });
  expect((await call('mcp_bridge', { action: 'list_tools' }, workspace.context)).output).toContain(
    'test (local, of the user)',
  );
});

test('over Streamable HTTP the same, with the keys that the entry names, which go nowhere else', timeout, async () => {
  const http: HttpMcpServer = await startHttpMcpServer();
  try {
    const headers = { 'X-Key': '${KEY}' };
    const remote: McpServer = { kind: 'remote', name: 'test', from: 'user', url: http.url, headers };
    servers = open([remote], { environment: { KEY: 'k-abcdef' } });
    expect(await use('echo', { text: 'far' })).toEqual({ ok: true, output: 'far' });
    expect((await use('echo', { text: 'k-abcdef' })).output).toBe('[redacted]');
    expect((await mcp('list_tools')).output).toContain('echo(text*, times)');
    expect(http.requests.every((request) => request['x-key'] === 'k-abcdef')).toBe(true);
    http.requests.length = 0;
    servers = open([{ ...remote, url: http.url.replace('/mcp', '/elsewhere') }], { environment: { KEY: 'k-abcdef' } });
    expect((await mcp('list_tools')).output).toContain('it redirects to /mcp, which is not followed');
    servers = open([{ ...remote, url: 'http://127.0.0.1:1/mcp' }], { environment: { KEY: 'k-abcdef' } });
    expect((await mcp('list_tools')).output).toContain('could not be started or reached');
  } finally {
    await http.close();
  }
});

test(
  'the settings and a trusted project name servers, and say whose calls only read or are asked about',
  timeout,
  async () => {
    const home = path.join(workspace.repository.scratch, 'home');
    const environment = { HOME: home, CODETETHER_DATA_DIR: path.join(home, 'data') };
    const configFile = path.join(home, '.config', 'codetether', 'config.yaml');
    mkdirSync(path.dirname(configFile), { recursive: true });
    const { command, args } = mcpServerProgram;
    const entry = (more: object) => JSON.stringify({ command, args, ...more });
    const settings = [
      'mcpServers:',
      `  test: ${entry({ readOnly: ['echo'] })}`,
      `  asks: ${entry({ ask: true })}`,
      `  off: ${entry({ disabled: true })}`,
      '  broken: { command: x, comand: y }',
    ];
    writeFileSync(configFile, settings.join('\n'));
    const { top } = workspace.repository;
    const project = { mcpServers: { theirs: { command, args, readOnly: true }, test: { command: 'not-mine' } } };
    writeFileSync(path.join(top, '.mcp.json'), JSON.stringify(project));

    const config = loadConfig({ environment });
    const read = createExtensionReader({ config, environment });
    servers = open([], {
      configured: async (folder) => (await read(folder)).mcpServers,
      callsOf: createMcpCallPolicies(configFile),
    });
    const describe = (server: string, tool_name: string) =>
      createToolRegistry({ mcp: servers }).describe('mcp', { action: 'call_tool', server, tool_name });

    expect((await read(top)).mcpServers.map(({ name }) => name)).toEqual(['test', 'asks']);
    expect((await read(top)).problems.join()).toContain('config.yaml:5: mcpServers.broken.comand: is not known here');
    const { digest } = await readProject(config.dataDir, top);
    await keepTrust(config.dataDir, { project: top, digest: digest ?? '', answer: 'trusted' });
    expect((await read(top)).mcpServers.map(({ name, from }) => [name, from])).toEqual([
      ['asks', 'user'],
      ['theirs', 'project'],
      ['test', 'user'],
    ]);
    // The story's worktree has the servers of its main checkout.
    expect(await use('echo', { text: 'mine' })).toEqual({ ok: true, output: 'mine' });

    expect(describe('test', 'echo').risk).toBe('network');
    expect(describe('test', 'crash').risk).toBe('shell');
    expect(describe('theirs', 'echo').risk).toBe('shell');
    expect(describe('asks', 'echo').ask?.why).toContain('a person is asked about calls of asks');
    writeFileSync(configFile, 'mcpServers: [');
    expect(describe('test', 'echo')).toMatchObject({ risk: 'shell', ask: { isSafe: false } });
  },
);

test('a server of the old revisions that forgets its sessions is connected to anew', timeout, async () => {
  const http = await startHttpMcpServer();
  try {
    const url = http.url.replace('/mcp', '/sessions');
    servers = open([{ kind: 'remote', name: 'test', from: 'user', url, headers: {} }]);
    expect(await use('echo', { text: 'first' })).toEqual({ ok: true, output: 'first' });
    http.forget();
    expect((await use('echo', { text: 'lost' })).output).toContain('what the server has done is unknown');
    expect(await use('echo', { text: 'again' })).toEqual({ ok: true, output: 'again' });
  } finally {
    await http.close();
  }
});

test('a server is started without what the worker knows', timeout, async () => {
  const runCommand = createRunCommand({
    ...workspace.processes,
    env: { ...workspace.processes.env, DATABASE_URL: 'postgres://x' },
  });
  servers = open([local('test')], { runCommand });
  expect((await use('variable', { name: 'DATABASE_URL' })).output).toBe('(unset)');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
