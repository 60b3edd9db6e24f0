import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixtureUsage, startModelServer } from '../support/model-server.ts';
import type { ModelFixture, ModelServer } from '../support/model-server.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const task = 'Add a library and its test.';
const gemini = 'gemini-2.5-flash';
const write = (path: string, content: string) => ({ name: 'write', arguments: { path, content } });

/** What the model says when it has spoken so often, in the same words for each provider. */
function turn(
  turnIndex: number,
  content: string,
  toolCalls: readonly { readonly name: string; readonly arguments: object }[],
): readonly ModelFixture[] {
  const usage = fixtureUsage(1000, 100);
  const match = { userMessage: task, turnIndex };
  const response = { content, usage, ...(toolCalls.length === 0 ? {} : { toolCalls: [...toolCalls] }) };
  return [
    { match: { ...match, model: gemini }, response: { ...response, finishReason: 'stop' }, latency: 150 },
    // Of the Responses API aimock counts the text and the call of one answer as two.
    { match: { ...match, model: 'gpt-5', turnIndex: 2 * turnIndex }, response, latency: 150 },
    { match, response, latency: 150 },
  ];
}

let server: ModelServer;
let stack: TestStack;
const folders: string[] = [];

beforeAll(async () => {
  server = await startModelServer([
    ...turn(0, 'First the library.', [write('src/add.js', 'export const add = (a, b) => a + b;\n')]),
    ...turn(1, 'Then its test.', [
      write('test/add.test.js', 'import { add } from "../src/add.js";\nif (add(1, 2) !== 3) process.exit(1);\n'),
    ]),
    ...turn(2, 'I check it.', [
      { name: 'bash', arguments: { command: 'echo checked >> log.txt; sleep 3; node test/add.test.js && echo fine' } },
    ]),
    ...turn(3, 'Wrote src/add.js and test/add.test.js.', []),
  ]);
  const key = 'sk-test-0123456789';
  stack = await createTestStack({
    ANTHROPIC_API_KEY: key,
    ANTHROPIC_BASE_URL: server.url,
    OPENAI_API_KEY: key,
    OPENAI_BASE_URL: server.url,
    GEMINI_API_KEY: key,
    GOOGLE_GEMINI_BASE_URL: server.url,
    OPENAI_COMPATIBLE_API_KEY: key,
    OPENAI_COMPATIBLE_BASE_URL: server.url,
  });
});
afterAll(async () => {
  await stack.remove();
  await server.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const textOf = async (path: string, file: string) => await readFile(join(path, file), 'utf8').catch(() => '');

test.each([
  ['anthropic/claude-sonnet-4-5', 'in a command', 'log.txt'],
  ['openai/gpt-5', 'after its first file', 'src/add.js'],
  [`google/${gemini}`, 'after its second file', 'test/add.test.js'],
  ['openai-compatible/some-model', 'in a command', 'log.txt'],
])(
  'a task of two files is done by %s, whose worker is lost %s',
  async (model, _where, file) => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-run-')));
    folders.push(folder);
    const path = join(folder, 'work');
    await mkdir(path);
    const before = server.requests().length;
    const run = stack.start(['run', task, '--model', model, '--json'], { cwd: path });
    for (const deadline = Date.now() + 60_000; (await textOf(path, file)) === ''; await delay(20))
      if (Date.now() > deadline) throw new Error(`${file} is not there: ${(await run.result).stderr}`);
    await stack.kill('worker');
    const ended = await run.result;
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ text: 'Wrote src/add.js and test/add.test.js.' });
    expect(await textOf(path, 'src/add.js')).toContain('a + b');
    expect(await textOf(path, 'test/add.test.js')).toContain('add(1, 2)');
    expect(await textOf(path, 'log.txt')).toBe('checked\n');
    const asked = server.requests().slice(before);
    expect(asked.every(({ status }) => status === 200)).toBe(true);
    // Four answers; what was under way when the worker was lost is asked for again.
    expect(asked.length).toBeGreaterThanOrEqual(4);
    expect(asked.length).toBeLessThanOrEqual(5);
  },
  120_000,
);
