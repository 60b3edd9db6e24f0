import { expect, test } from 'vitest';
import { toolContext } from '../support/tool-context.ts';
import type { LanguageServers } from '../../activities/lsp/language-servers.ts';
import type { McpServers } from '../../activities/mcp/mcp-servers.ts';
import type { LongLivedProcesses } from '../../activities/process/long-lived.ts';
import { createToolRegistry, type ToolMeans } from '../../activities/tools/registry.ts';
import type { MemoryStore } from '../../domain/contracts/store.ts';
import type { RunMeans } from '../../activities/tools/run-means.ts';

const context = toolContext();

/** Whatever a host can have. */
const means: ToolMeans = {
  processes: {} as LongLivedProcesses,
  memories: {} as MemoryStore,
  languageServers: {} as LanguageServers,
  web: {
    fetch: () => Promise.reject(new Error('not expected')),
    access: { policy: 'ask', hosts: [] },
    search: { host: 'search.example', search: () => Promise.reject(new Error('not expected')) },
  },
  mcp: { callsOf: () => ({ readOnly: ['look'], ask: false }) } as unknown as McpServers,
  runs: {} as RunMeans,
};
const { definitions, describe: describeToolCall } = createToolRegistry(means);

const label = (name: string, given: unknown) => describeToolCall(name, given).label;

test('the tools are what the model was told of: a change here changes every prompt', () => {
  expect(definitions('full').map(({ name, risk }) => [name, risk])).toEqual([
    ['read', 'read'],
    ['write', 'write'],
    ['edit', 'write'],
    ['multiedit', 'write'],
    ['apply_patch', 'write'],
    ['bash', 'shell'],
    ['glob', 'read'],
    ['grep', 'read'],
    ['codesearch', 'read'],
    ['list', 'read'],
    ['tree', 'read'],
    ['fileinfo', 'read'],
    ['headtail', 'read'],
    ['diff', 'read'],
    ['git', 'write'],
    ['todowrite', 'read'],
    ['todoread', 'read'],
    ['skill', 'read'],
    ['agent', 'shell'],
    ['spawn_agent', 'shell'],
    ['wait_agent', 'shell'],
    ['list_agents', 'shell'],
    ['send_message', 'shell'],
    ['followup_task', 'shell'],
    ['interrupt_agent', 'shell'],
    ['question', 'read'],
    ['plan_enter', 'read'],
    ['plan_exit', 'read'],
    ['create_goal', 'read'],
    ['get_goal', 'read'],
    ['update_goal', 'read'],
    ['session_recall', 'read'],
    ['context_browse', 'read'],
    ['context_pin', 'read'],
    ['context_reset', 'read'],
    ['context_budget', 'read'],
    ['context_summarize', 'read'],
    ['exec_command', 'shell'],
    ['write_stdin', 'shell'],
    ['memory', 'write'],
    ['lsp', 'read'],
    ['webfetch', 'network'],
    ['websearch', 'network'],
    ['mcp', 'shell'],
    ['prd', 'shell'],
    ['ralph', 'shell'],
    ['batch', 'shell'],
  ]);
  expect(definitions('full')).toMatchSnapshot();
});

test('a tool whose means this host has not is told of nowhere', () => {
  const names = new Set(
    createToolRegistry()
      .definitions('full')
      .map(({ name }) => name),
  );
  const missing = definitions('full').flatMap(({ name }) => (names.has(name) ? [] : [name]));
  expect(missing).toEqual([
    'exec_command',
    'write_stdin',
    'memory',
    'lsp',
    'webfetch',
    'websearch',
    'mcp',
    'prd',
    'ralph',
  ]);
});

test('a story is told of what it needs, not of everything', () => {
  expect(definitions('lean').map(({ name }) => name)).toEqual([
    'read',
    'write',
    'edit',
    'multiedit',
    'bash',
    'glob',
    'grep',
    'list',
    'todowrite',
    'skill',
    'session_recall',
    'context_browse',
    'list_tools',
  ]);
});

test('the risk is that of the call, not of the tool', () => {
  const risk = (name: string, given: unknown) => describeToolCall(name, given).risk;
  expect(risk('git', { op: 'log' })).toBe('read');
  expect(risk('git', { op: 'commit', message: 'x' })).toBe('write');
  expect(risk('edit', { path: 'a', old_string: 'a', new_string: 'b', preview: true })).toBe('read');
  expect(risk('mcp', { action: 'list_tools', server: 'a' })).toBe('network');
  expect(risk('mcp', { action: 'call_tool', server: 'a', tool_name: 'look' })).toBe('network');
  expect(risk('mcp', { action: 'call_tool', server: 'a', tool_name: 'change' })).toBe('shell');
  expect(risk('batch', { calls: [{ tool: 'read', args: { path: 'a' } }] })).toBe('read');
  const calls = [
    { tool: 'read', args: { path: 'a' } },
    { tool: 'write', args: { path: 'a', content: '' } },
    { tool: 'git', args: { op: 'log' } },
  ];
  expect(risk('batch', { calls })).toBe('write');
  expect(risk('batch', { calls: [...calls, { tool: 'bash', args: { command: 'ls' } }] })).toBe('shell');
  expect(risk('batch', { calls: [{ tool: 'batch', args: { calls } }] })).toBe('shell');
});

test('a person is asked about a batch that holds a call they would be asked about', () => {
  const calls = [
    { tool: 'bash', args: { command: 'docker build .' } },
    { tool: 'bash', args: { command: 'git push' } },
  ];
  expect(describeToolCall('batch', { calls }).ask).toEqual({ why: 'it pushes to a remote', isSafe: false });
});

test('a label is what a person would say, on one line of at most 100 characters', () => {
  expect(label('bash', { command: 'npm test' })).toBe('bash npm test');
  expect(label('bash', { command: 'npm\n  test', cwd: 'web' })).toBe('bash npm test (in web)');
  expect(label('read', { path: 'a.ts', offset: 7 })).toBe('read a.ts from line 7');
  expect(label('write', { path: 'a.ts', content: 'x' })).toBe('write a.ts');
  expect(label('grep', { pattern: 'x', path: 'src' })).toBe('grep x in src');
  expect(label('todowrite', { todos: [{ content: 'test it', status: 'in_progress' }] })).toBe(
    'todowrite 0/1 done, now test it',
  );
  expect(label('bash', { command: 'x'.repeat(500) })).toHaveLength(100);
  expect(label('bash', { command: '\u001b[2Jrm' })).toBe('bash rm');
  expect(label('bash', { cmd: 1 })).toBe('bash');
  expect(label('bash', undefined)).toBe('bash');
  expect(describeToolCall('x'.repeat(300), {})).toEqual({ risk: 'read', label: `${'x'.repeat(99)}…` });
});

test('malformed arguments are an answer, not an error', async () => {
  const { call } = createToolRegistry();
  expect(await call('read', {}, context)).toEqual({
    ok: false,
    output:
      'error: the arguments of read are not right: path: Invalid input: expected string, received undefined. Nothing was done.',
  });
  expect((await call('bash', { command: 'ls', timeout: 9999 }, context)).output).toContain('timeout: Too big');
  expect((await call('read', 'not json', context)).output).toContain('they must be one JSON object');
  expect((await call('read', ['a'], context)).output).toContain('they must be one JSON object');
  expect((await call('read', null, context)).output).toContain('they must be one JSON object');
});

test('null is the same as not given, arguments as JSON text are read, unknown ones are named', async () => {
  const { call } = createToolRegistry();
  const todos = [{ content: 'a', status: 'completed' }];
  expect(await call('todowrite', JSON.stringify({ todos, why: 'x', other: null }), context)).toEqual({
    ok: true,
    output: '[x] a\n[unknown arguments ignored: why]',
  });
});

test('an unknown tool is answered with the ones there are', async () => {
  const { call } = createToolRegistry(means);
  const names = definitions('full').map(({ name }) => name);
  expect(await call('todowrte', {}, context)).toEqual({
    ok: false,
    output: `error: there is no tool "todowrte"; did you mean todowrite? Tools: ${names.join(', ')}, list_tools`,
  });
  expect((await call('read_file', {}, context)).output).toContain('did you mean read?');
  expect((await call('browserctl', {}, context)).output).toContain('there is no tool "browserctl". Tools: read, ');
});

test('names of other agents stand for the same tools', async () => {
  const { call } = createToolRegistry();
  expect(await call('todo_write', { todos: [] }, context)).toEqual({ ok: true, output: '(the list is empty)' });
  for (const [alias, name] of [
    ['patch', 'apply_patch'],
    ['file_info', 'fileinfo'],
    ['head_tail', 'headtail'],
    ['todo_read', 'todoread'],
    ['mcp_bridge', 'mcp'],
  ] as const)
    expect(describeToolCall(alias, {}).label, alias).toContain(name);
  expect(label('constructor', {})).toBe('constructor (no such tool)');
});
