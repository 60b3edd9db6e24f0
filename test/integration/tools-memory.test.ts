import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { createStore, type PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

let database: TestDatabase;
let store: PostgresStore;
let workspace: ToolWorkspace;
let other: ToolWorkspace;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  const registry = createToolRegistry({ memories: store });
  workspace = await makeToolWorkspace({ registry });
  other = await makeToolWorkspace({ registry });
});

afterEach(() => {
  workspace.remove();
  other.remove();
});

const memory = (given: Record<string, unknown>, of = workspace) => of.run('memory', given);
const save = async (content: string, more: Record<string, unknown> = {}, of = workspace) =>
  /^saved as ([0-9a-f]{10})$/.exec((await memory({ action: 'save', content, ...more }, of)).output)?.[1] ?? '';

test('what is saved is found by its words, best first', async () => {
  const tests = await save('Tests need a running database; start it with npm run db.', { tags: ['testing'] });
  await save('The parser is generated: never edit src/parser.js.', { tags: ['parser', 'build'], importance: 5 });
  const found = await memory({ action: 'search', query: 'how do I run the tests with a database' });
  expect(found.output).toMatch(
    new RegExp(`^${tests} \\(\\d{4}-\\d\\d-\\d\\d, importance 3, tags testing\\)\\nTests need a running database`),
  );
  expect((await memory({ action: 'search', query: 'editing parsers' })).output).toContain('never edit src/parser.js');
  expect((await memory({ action: 'search', query: "quote's & | ! (weird:*" })).output).toBe(
    'nothing is remembered about that',
  );
  expect((await memory({ action: 'tags' })).output).toBe('build (1), parser (1), testing (1)');
  expect((await memory({ action: 'list', tags: ['build'] })).output).toContain('importance 5');
  expect((await memory({ action: 'get', id: tests })).output).toContain('npm run db');
});

test('the same content twice is one memory, with the newer tags', async () => {
  const first = await save('One thing.', { tags: ['old'] });
  expect(await save('One thing.', { tags: ['new'] })).toBe(first);
  expect((await memory({ action: 'list' })).output.match(/One thing/g)).toHaveLength(1);
  expect((await memory({ action: 'tags' })).output).toBe('new (1)');
  expect((await memory({ action: 'search', query: 'old' })).output).toContain('nothing');
});

test('a memory can be deleted, once', async () => {
  const id = await save('Wrong.');
  expect(await memory({ action: 'delete', id })).toEqual({ ok: true, output: `deleted ${id}` });
  expect(await memory({ action: 'delete', id })).toMatchObject({ ok: false });
  expect(await memory({ action: 'get', id })).toMatchObject({ ok: false });
});

test('memories belong to a repository; clones of one remote share them', async () => {
  await save('Only here.');
  expect((await memory({ action: 'list' }, other)).output).toBe('nothing is remembered about that');
  workspace.repository.git(['remote', 'add', 'origin', 'https://somebody:secret@example.com/team/sums.git']);
  other.repository.git(['remote', 'add', 'origin', 'git@example.com:team/sums']);
  await save('For all clones.');
  expect((await memory({ action: 'list' }, other)).output).toContain('For all clones.');
  expect((await memory({ action: 'list' })).output).not.toContain('Only here.');
});

test('what is missing is said, and only saving and deleting can change anything', async () => {
  expect((await memory({ action: 'save' })).output).toBe('error: save needs content');
  expect((await memory({ action: 'search' })).output).toBe('error: search needs a query');
  expect((await memory({ action: 'save', content: 'x'.repeat(4001) })).output).toContain('Too big');
  const { describe } = createToolRegistry({ memories: store });
  expect(describe('memory', { action: 'search', query: 'x' })).toEqual({ risk: 'read', label: 'memory search x' });
  expect(describe('memory', { action: 'save', content: 'x' }).risk).toBe('write');
});

test('the goal lives in the transcript', async () => {
  let seq = 0;
  const call = async (tool: string, given: Record<string, unknown> = {}) => {
    const { ok, output } = await workspace.run(tool, given);
    workspace.transcript.push({ seq: (seq += 1), kind: 'tool-result', body: { callId: `c${seq}`, tool, ok, output } });
    return output;
  };
  expect(await call('get_goal')).toContain('there is no goal');
  expect(await call('update_goal', { status: 'complete' })).toContain('there is no goal yet');
  await call('create_goal', { objective: 'Make sums\nfast' });
  await call('update_goal', { status: 'blocked', note: 'no benchmark' });
  expect(await call('get_goal')).toBe('goal: Make sums fast\nstatus: blocked\nnote: no benchmark');
});
