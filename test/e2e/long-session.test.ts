import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let folder: string;

beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-long-')));
}, 900_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

test('an attempt whose transcript outgrows the window several times goes on to its end, also when its worker is killed', async () => {
  const repository = join(folder, 'long');
  await git(folder, 'init', '--quiet', '--initial-branch', 'main', repository);
  const story = { id: 'US-1', title: 'Long', description: 'd', passes: false, priority: 1 };
  const prd = {
    project: 'long',
    feature: 'long',
    branch_name: 'feature/long',
    quality_checks: { test: 'test -f done.txt' },
  };
  await writeFile(join(repository, 'prd.json'), JSON.stringify({ ...prd, user_stories: [story] }));
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');
  // Some 1,600 tokens a step: the window is full after ten.
  const look = (step: number) => ({
    text: 'I look.',
    tools: [{ name: 'bash', args: { command: `yes "line {{step}}" | head -c 5000; echo ${step}` } }],
  });
  const tool = (name: string, args: object) => ({ text: name, tools: [{ name, args }] });
  const turns = [
    ...Array.from({ length: 14 }, (_, step) => look(step)),
    tool('context_pin', { action: 'pin', row: 3 }),
    tool('session_recall', { query: 'line 2' }),
    ...Array.from({ length: 14 }, (_, step) => look(step + 14)),
    tool('context_reset', { summary: 'Only done.txt is missing.' }),
    tool('context_budget', {}),
    tool('write', { path: 'done.txt', content: 'done\n' }),
    { text: 'Done.' },
  ];
  const script = join(folder, 'script.json');
  const file = { version: 1, delayMs: 50, contextTokens: 20_000, summary: 'I looked at lines.' };
  await writeFile(script, JSON.stringify({ ...file, default: { attempts: [{ turns }] } }));

  const flags = ['--model', `scripted/${script}`, '--max-steps', '60', '--json'];
  const run = stack.start(['ralph', 'run', ...flags], { cwd: repository });
  await delay(4_000);
  await stack.kill('worker');
  const { code, stdout, stderr } = await run.result;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'completed', passed: 1 });

  const status = JSON.parse((await stack.cli(['ralph', 'status', '--json'], { cwd: repository })).stdout) as {
    readonly spending: readonly { readonly calls: number }[];
  };
  const calls = status.spending[0]?.calls ?? 0;
  expect(calls).toBeGreaterThanOrEqual(turns.length + 2);
  expect(calls).toBeLessThan(turns.length + 10);
}, 180_000);
