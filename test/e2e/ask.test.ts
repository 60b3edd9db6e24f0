import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
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
  readonly text?: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

/** A folder to work in, and a model that plays these turns: one list for each message. */
async function workplace(...messages: readonly (readonly Turn[])[]): Promise<{ path: string; model: string }> {
  const folder = await repositoryFolder();
  const path = join(folder, 'work');
  await mkdir(path);
  const script = join(folder, 'script.json');
  await writeFile(
    script,
    JSON.stringify({ version: 1, stories: { main: { attempts: messages.map((turns) => ({ turns })) } } }),
  );
  return { path, model: `scripted/${script}` };
}

const call = (name: string, args: object): Turn => ({ tools: [{ name, args }] });
const write = (content: string) => call('write', { path: 'a.txt', content });
const textOf = async (path: string) => await readFile(join(path, 'a.txt'), 'utf8').catch(() => '');

interface Approval {
  readonly id: string;
  readonly kind: string;
  readonly question: string;
}

async function asked(): Promise<Approval> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const { stdout } = await stack.cli(['approvals', '--json']);
    const [first] = (JSON.parse(stdout) as { readonly approvals: readonly Approval[] }).approvals;
    if (first !== undefined) return first;
  }
  throw new Error('nothing was asked within a minute');
}

/** What the tool calls of the folder's newest session were answered. */
async function results(path: string, tool: string): Promise<string[]> {
  const { stdout } = await stack.cli(['sessions', 'show', '--json'], { cwd: path });
  const { rows } = JSON.parse(stdout) as {
    readonly rows: readonly {
      readonly kind: string;
      readonly body: { readonly tool?: string; readonly output?: string };
    }[];
  };
  return rows.flatMap(({ kind, body }) => (kind === 'tool-result' && body.tool === tool ? [body.output ?? ''] : []));
}

test('a question waits through the loss of worker and API, and its answer reaches the agent once', async () => {
  const question = { question: 'Which library?\nThe old one is gone.', default: 'none' };
  const { path, model } = await workplace([call('question', question), { text: 'Taken.' }]);
  const run = stack.start(['run', 'add it', '--model', model, '--on-ask', 'wait'], { cwd: path });
  const { id, kind } = await asked();
  expect(kind).toBe('question');
  await stack.kill('worker', 'api');
  const shown = await stack.cli(['approvals', id]);
  expect(shown.stdout).toBe(`Which library?\nThe old one is gone.\ncodetether answer ${id} "…"\n`);
  const denied = await stack.cli(['deny', id]);
  expect(denied.code).toBe(2);
  expect(denied.stderr).toContain(`codetether answer ${id}`);
  const answered = await stack.cli(['answer', id, 'the', 'new one']);
  expect(answered.code, answered.stderr).toBe(0);
  expect((await stack.cli(['answer', id, 'no'])).code).toBe(2);
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout).toBe('Taken.\n');
  expect(await results(path, 'question')).toEqual(['The person answers: the new one']);
}, 180_000);

test('off a terminal nobody is waited for: the agent is told to decide', async () => {
  const { path, model } = await workplace([call('question', { question: 'Which?', default: 'red' }), { text: 'Red.' }]);
  const ended = await stack.cli(['run', 'choose', '--model', model], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await results(path, 'question')).toEqual([
    'Nobody is there to answer. Take what you have named (red), or decide yourself, and say in your answer what you have assumed.',
  ]);
});

test('in plan mode a write is refused, over turns, until the plan was approved', async () => {
  const { path, model } = await workplace(
    [
      call('plan_enter', { goal: 'a file', steps: ['write it'] }),
      write('too early'),
      call('plan_exit', { summary: 'I write a.txt.' }),
      { text: 'The plan: I write a.txt. It waits for approval.' },
    ],
    [
      write('still too early'),
      call('plan_exit', { summary: 'I write a.txt.' }),
      write('planned'),
      { text: 'Written.' },
    ],
  );
  const planned = await stack.cli(['run', 'plan it', '--model', model], { cwd: path });
  expect(planned.code, planned.stderr).toBe(0);
  expect(await textOf(path)).toBe('');
  expect(await results(path, 'plan_exit')).toEqual([expect.stringContaining('Nobody is there to answer.')]);
  const going = stack.start(['run', '-c', 'go ahead', '--on-ask', 'wait'], { cwd: path });
  const { id, kind, question } = await asked();
  expect([kind, question]).toEqual(['plan', 'plan mode: a file\nI write a.txt.\nCarry it out?']);
  expect(await textOf(path)).toBe('');
  expect((await stack.cli(['approve', id])).code).toBe(0);
  const ended = await going.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(await textOf(path)).toBe('planned');
  const writes = await results(path, 'write');
  expect(writes.map((output) => output.startsWith('error: not run: write would change something'))).toEqual([
    true,
    true,
    false,
  ]);
}, 120_000);
