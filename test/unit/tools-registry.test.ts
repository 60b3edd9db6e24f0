import { expect, test } from 'vitest';
import { createToolRegistry, describeToolCall, toolDefinitions } from '../../activities/tools/registry.ts';
import type { ToolContext } from '../../activities/tools/tool.ts';

const context: ToolContext = {
  workspace: { root: '/nowhere', mainCheckout: null },
  runCommand: () => Promise.reject(new Error('not expected')),
  listFiles: () => Promise.reject(new Error('not expected')),
  signal: new AbortController().signal,
  onLine: () => undefined,
};

const label = (name: string, given: unknown) => describeToolCall(name, given).label;

test('the tools are what the model was told of: a change here changes every prompt', () => {
  expect(toolDefinitions.map(({ name, risk }) => [name, risk])).toEqual([
    ['read', 'read'],
    ['write', 'write'],
    ['edit', 'write'],
    ['bash', 'shell'],
    ['glob', 'read'],
    ['grep', 'read'],
    ['list', 'read'],
    ['todowrite', 'read'],
    ['skill', 'read'],
  ]);
  expect(toolDefinitions).toMatchSnapshot();
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
  const { call } = createToolRegistry();
  const names = 'read, write, edit, bash, glob, grep, list, todowrite, skill';
  expect(await call('todo_write', {}, context)).toEqual({
    ok: false,
    output: `error: there is no tool "todo_write"; did you mean todowrite? Tools: ${names}`,
  });
  expect((await call('read_file', {}, context)).output).toContain('did you mean read?');
  expect((await call('webfetch', {}, context)).output).toBe(`error: there is no tool "webfetch". Tools: ${names}`);
});
