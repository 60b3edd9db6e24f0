import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const stories = Array.from({ length: 8 }, (_, index) => `US-${index + 1}`);
let stack: TestStack;
let folder: string;
let repository: string;
let model: string;

beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-budget-')));
  repository = join(folder, 'race');
  await git(folder, 'init', '--quiet', '--initial-branch', 'main', repository);
  const prd = {
    project: 'race',
    feature: 'race',
    branch_name: 'feature/race',
    quality_checks: { test: 'true' },
    user_stories: stories.map((id) => ({ id, title: `Story ${id}`, description: 'd', passes: false, priority: 1 })),
  };
  await writeFile(join(repository, 'prd.json'), JSON.stringify(prd));
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');
  // One cent a call, four calls a story.
  const usage = 'usage: { inputTokens: 6000, outputTokens: 4000 }';
  const writes = [1, 2, 3].map(
    (n) => `{ text: go on, tools: [{ name: write, args: { path: "{{story}}-${n}.txt", content: x } }], ${usage} }`,
  );
  const script = join(folder, 'script.yaml');
  await writeFile(
    script,
    [
      'version: 1',
      'price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }',
      'delayMs: 300',
      `default: { attempts: [{ turns: [${[...writes, `{ text: done, ${usage} }`].join(', ')}] }] }`,
    ].join('\n'),
  );
  model = `scripted/${script}`;
}, 900_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

test('eight stories race for the last cent: nothing over the cap is spent, and a larger cap goes on', async () => {
  const flags = ['--model', model, '--max-concurrent', '8', '--max-cost', '0.17', '--json'];
  const run = await stack.cli(['ralph', 'run', ...flags], { cwd: repository });
  expect(run.code, run.stderr).toBe(5);
  expect(JSON.parse(run.stdout)).toMatchObject({ outcome: 'budget-exceeded', cost_usd: 0.17, total: 8 });

  const refused = await stack.cli(['ralph', 'resume', '--max-cost', '0.10'], { cwd: repository });
  expect(refused.code).toBe(5);
  expect(refused.stderr).toContain('[budget-exceeded]');

  const resumed = await stack.cli(['ralph', 'resume', '--max-cost', '0.40'], { cwd: repository });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.stdout).toContain('goes on (execution 2)');
  // That is not enough either; a run that goes on takes other caps at once.
  const raised = await stack.cli(['ralph', 'resume', '--max-cost', '5'], { cwd: repository });
  expect(raised.code, raised.stderr).toBe(0);
  expect(raised.stdout).toMatch(/goes on\n$/);
  const attached = await stack.cli(['ralph', 'attach', '--json'], { cwd: repository });
  expect(JSON.parse(attached.stdout)).toMatchObject({ outcome: 'completed', passed: 8 });

  const status = JSON.parse((await stack.cli(['ralph', 'status', '--json'], { cwd: repository })).stdout) as {
    readonly spent_usd: number;
    readonly spending: readonly { readonly calls: number; readonly cost_usd: number; readonly price: object }[];
  };
  expect(status).toMatchObject({ max_cost_usd: 5, reserved_usd: 0, max_total_steps: null });
  expect(status.spending).toHaveLength(8);
  expect(status.spending[0]?.price).toMatchObject({ input_usd: 1, output_usd: 1, source: 'script' });
  const cents = status.spending.reduce((sum, row) => sum + Math.round(row.cost_usd * 100), 0);
  expect(cents).toBe(Math.round(status.spent_usd * 100));
  expect(cents).toBe(status.spending.reduce((sum, row) => sum + row.calls, 0));
}, 180_000);

test('at the budget line all stories wait for one answer, through the loss of the worker, and go on up to the cap', async () => {
  await git(repository, 'checkout', '--', 'prd.json');
  const flags = ['--branch', 'feature/line', '--max-cost', '0.40', '--ask-at', '25', '--detach-on-ask', '--json'];
  const left = await stack.cli(['ralph', 'run', '--model', model, ...flags], { cwd: repository });
  expect(left.code, left.stderr).toBe(6);
  const { approvals } = JSON.parse(left.stdout) as { readonly approvals: readonly { id: string; question: string }[] };
  expect(approvals).toHaveLength(1);
  expect(approvals[0]?.question).toMatch(/^\$0\.1\d of \$0\.40 is spent, 25% is reached: go on up to the cap\?$/);
  const spent = async () =>
    JSON.parse((await stack.cli(['ralph', 'status', 'line', '--json'], { cwd: repository })).stdout) as {
      readonly spent_usd: number;
      readonly reserved_usd: number;
    };
  // Calls that were under way at the line are paid.
  await expect.poll(async () => (await spent()).reserved_usd, { timeout: 30_000 }).toBe(0);
  const before = await spent();
  await stack.kill('worker');
  await delay(3_000);
  expect((await spent()).spent_usd).toBe(before.spent_usd);
  expect((await stack.cli(['approve', approvals[0]?.id ?? ''])).code).toBe(0);
  const ended = await stack.cli(['ralph', 'attach', 'line', '--detach-on-ask', '--json'], { cwd: repository });
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ outcome: 'completed', passed: 8, cost_usd: 0.32 });
}, 120_000);
