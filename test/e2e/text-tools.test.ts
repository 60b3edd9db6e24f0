import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { chat, chatUsage } from '../support/model-events.ts';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireServer } from '../support/model-server.ts';
import { makeRepository } from '../support/repository.ts';
import type { TestRepository } from '../support/repository.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let server: WireServer;
let answers: readonly string[] = [];
let first = 0;
let repository: TestRepository;

beforeAll(async () => {
  server = await startWireServer((response, number) => {
    const text = answers[number - first] ?? answers.at(-1) ?? '';
    writeEvents(response, [...(text === '' ? [] : [chat({ content: text })]), chat({}, 'stop'), chatUsage]);
  });
  stack = await createTestStack({
    OPENAI_COMPATIBLE_BASE_URL: server.url,
    CODETETHER_TEXT_TOOL_MODELS: 'openai-compatible/small',
  });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterEach(() => repository.remove());
afterAll(async () => {
  await stack.remove();
  await server.stop();
});

const call = (name: string, args: object) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;

async function run(said: readonly string[], ...options: readonly string[]) {
  repository = makeRepository();
  answers = said;
  first = server.requests().length;
  writeFileSync(`${repository.top}/mine.txt`, 'of the person');
  const args = ['run', 'do it', '--model', 'openai-compatible/small', ...options];
  return await stack.cli(args, { cwd: repository.top });
}

test('a model without tool calls of its own works by text; the end says what it has changed and how its commands have ended', async () => {
  const said = [
    `I write it.\n${call('write', { path: 'new.txt', content: 'hello\n' })}`,
    '',
    `${call('bash', { command: 'rm README.md' })}\n${call('bash', { command: 'grep -c bye new.txt' })}`,
    'Done: new.txt says hello.',
  ];
  const text = await run(said);
  expect(text.code, text.stderr).toBe(0);
  expect(text.stdout).toBe('Done: new.txt says hello.\n');
  expect(text.stderr).toContain('changed: 2 files · README.md (deleted), new.txt (new)\n');
  expect(text.stderr).toContain('ran: rm README.md (ok) · grep -c bye new.txt (exit code 1)\n');
  const bodies = server
    .requests()
    .slice(first)
    .map(({ body }) => JSON.stringify(body));
  expect(bodies).toHaveLength(4);
  expect(bodies[1]).toContain('created new.txt');
  expect(bodies[2]).toContain('Your last answer was empty');
  const shown = await stack.cli(['sessions', 'show'], { cwd: repository.top });
  expect(shown.stdout).toContain('changed: 2 files · README.md (deleted), new.txt (new)\n');

  repository.remove();
  const json = await run(said, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    changes: { total: 2, files: [{ path: 'README.md', change: 'deleted' }, { path: 'new.txt' }] },
    commands: [
      { command: 'rm README.md', exit_code: 0 },
      { command: 'grep -c bye new.txt', exit_code: 1 },
    ],
  });
}, 120_000);

test('a turn that only looked says nothing of changes', async () => {
  const looked = await run([call('list', {}), 'There is a README.'], '--output-format', 'stream-json');
  expect(looked.code, looked.stderr).toBe(0);
  const result = looked.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
    .at(-1);
  expect(result).toMatchObject({ type: 'result', outcome: 'completed', text: 'There is a README.' });
  expect(result).not.toHaveProperty('changes');
  expect(result).not.toHaveProperty('commands');
}, 120_000);

test('a model that answers nothing of use is told so three times, and ends the turn typed', async () => {
  const ended = await run(['']);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain('4 answers in a row were of no use; the last one was empty');
  expect(server.requests().slice(first)).toHaveLength(4);
}, 120_000);
