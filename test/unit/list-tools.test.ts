import { expect, test } from 'vitest';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { lookedUpTools } from '../../domain/session/listed-tools.ts';
import { said, transcript } from '../support/transcripts.ts';
import { toolContext } from '../support/tool-context.ts';

const registry = createToolRegistry();
const list = async (args: object, rules = {}) => await registry.call('list_tools', args, toolContext({ rules }));
const names = (output: string) => output.split('\n').map((line) => line.split(':', 1)[0]);

test('tools are named with one line each, by words of what they do, and only those that the agent may use', async () => {
  const all = names((await list({})).output);
  expect(all).toEqual(registry.definitions('full').map(({ name }) => name));
  expect(names((await list({ query: 'PATCH' })).output)).toEqual(['apply_patch']);
  expect((await list({ query: 'xyzzy' })).output).toContain('(no tool has one of these words)');
  const reading = names((await list({}, { readsOnly: true })).output);
  expect(reading).toContain('tree');
  expect(reading).not.toContain('bash');
  expect(names((await list({}, { tools: ['read', 'tree'] })).output)).toEqual(['read', 'tree']);
  for (const line of (await list({})).output.split('\n')) expect(line.length).toBeLessThan(180);
});

test('one tool is shown with its schema; one that the agent may not use is not, and is named otherwise', async () => {
  const shown = await list({ tool: 'patch' });
  expect(shown.output).toMatch(/^tool apply_patch\n/);
  expect(shown.output).toContain('"required":["patch"]');
  expect(await list({ tool: 'apply_patch' }, { readsOnly: true })).toMatchObject({ ok: false });
  expect((await list({ tool: 'tre' })).output).toContain('did you mean tree?');
});

test('looked-up tools keep the order in which they were looked up, each once; an undone look-up does not count', async () => {
  const look = (output: string, ok = true) =>
    ({ kind: 'tool-result', body: { callId: output, tool: 'list_tools', ok, output } }) as const;
  const tree = look((await list({ tool: 'tree' })).output);
  const diff = look((await list({ tool: 'diff' })).output);
  const missing = await list({ tool: 'xyzzy' });
  const rows = [said.user('a'), tree, look((await list({})).output), diff, look(missing.output, missing.ok), tree];
  expect(lookedUpTools(transcript(...rows))).toEqual(['tree', 'diff']);
  expect(lookedUpTools(transcript(...rows, { kind: 'undo', body: { keepSeq: 3 } }))).toEqual(['tree']);
});
