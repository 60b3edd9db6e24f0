import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

interface Turn {
  readonly text: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

/** A folder, and a model that plays these turns: one list for each message. */
async function workplace(...messages: readonly (readonly Turn[])[]): Promise<{ path: string; model: string }> {
  const folder = await repositoryFolder();
  const path = join(folder, 'work');
  await mkdir(path);
  const script = join(folder, 'script.json');
  const attempts = messages.map((turns) => ({ turns }));
  const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 1 };
  await writeFile(
    script,
    JSON.stringify({ version: 1, summary: 'The words came twice.', price, stories: { main: { attempts } } }),
  );
  return { path, model: `scripted/${script}` };
}

async function told(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await stack.cli(args, { cwd });
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return `${stdout}${stderr}`;
}

test('stats are of the folder: tokens and price, tools with their failures, files with who changed them', async () => {
  const write = { name: 'write', args: { path: 'a.txt', content: 'a\n' } };
  const { path, model } = await workplace([
    { text: 'I write.', tools: [write, { name: 'read', args: { path: 'missing.txt' } }] },
    { text: 'Done.' },
  ]);
  await told(['run', 'write a.txt', '--model', model], path);
  const { stdout } = await stack.cli(['stats', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toMatchObject({
    schema_version: 1,
    sessions: 1,
    tool_executions: {
      total_executions: 2,
      total_failures: 1,
      executions_by_tool: { write: 1, read: 1 },
      files_modified: 1,
    },
    token_usage: { requests: 2 },
  });
  expect(await told(['stats', '--file', 'a.txt'], path)).toMatch(/\| 1 +\| write \|.*a\.txt/);
  expect(await told(['stats', '--tokens'], (await workplace()).path)).toContain('0 requests');
}, 60_000);

test('a context is looked at, pinned, and reset: the model itself sums it up before its next answer', async () => {
  const words = 'many words '.repeat(60);
  const { path, model } = await workplace([{ text: words }], [{ text: words }], [{ text: 'three' }]);
  await told(['run', 'keep this', '--model', model], path);
  await told(['run', '-c', 'and this not'], path);
  expect(await told(['context', 'browse'], path)).toMatch(
    /^1\t2–3\t2\t\d+\t\tkeep this\n2\t4–5\t2\t\d+\t\tand this not/,
  );
  expect(await told(['context', 'browse', 'show-turn', '2'], path)).toContain('many words many words');
  await told(['context', 'pin', '1'], path);
  expect(await told(['context', 'reset'], path)).toContain('sums 2 turns (4 steps');
  expect(await told(['context', 'budget'], path)).toContain('made before the next answer');
  expect(await told(['run', '-c', 'go on'], path)).toContain('three');
  const budget = await told(['context', 'budget'], path);
  expect(budget).toMatch(/rows 4–5, 2 steps, .* tokens: a summary stands for them/);
  expect(budget).toContain('turn 1');
  const { stdout } = await stack.cli(['sessions', 'show', '--json'], { cwd: path });
  const { rows } = JSON.parse(stdout) as { readonly rows: readonly { readonly kind: string; readonly body: object }[] };
  expect(rows.find(({ kind }) => kind === 'summary')).toMatchObject({ body: { text: 'The words came twice.' } });
  expect(await told(['context', 'reset', '--summary', 'all is well'], path)).toContain('your summary stands');
  const nothing = await stack.cli(['context', 'reset'], { cwd: path });
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('[context-refused]')]);
}, 60_000);
