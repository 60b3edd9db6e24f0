import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExampleRepository, createTestStack, git } from '../support/test-stack.ts';
import type { StackProcess, TestStack } from '../support/test-stack.ts';

const stories = ['US-001', 'US-002', 'US-003', 'US-004', 'US-005', 'US-006', 'US-007'];
const branch = 'feature/due-dates';

let stack: TestStack;
let undisturbedTree: string;

beforeAll(async () => {
  stack = await createTestStack();
  // Builds the engine where there is none yet.
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

interface Final {
  readonly outcome: string;
  readonly passed: number;
  readonly total: number;
}

/** What must be true of the repository after every completed run, disturbed or not. */
async function expectCompleted(repository: string): Promise<string> {
  const log = await git(
    repository,
    'log',
    '--format=%(trailers:key=Codetether-Story,valueonly,separator=%x2C)',
    `main..${branch}`,
  );
  expect(log.split('\n').toSorted(), 'one commit for each story').toEqual(stories);
  const prd = JSON.parse(await readFile(join(repository, 'prd.json'), 'utf8')) as {
    readonly user_stories: readonly { readonly passes: boolean }[];
  };
  expect(prd.user_stories.map((story) => story.passes)).toEqual(stories.map(() => true));
  expect(await git(repository, 'worktree', 'list')).not.toContain('\n');
  expect(await git(repository, 'branch', '--list', 'codetether/*')).toBe('');
  expect(existsSync(join(repository, '.codetether-worktrees'))).toBe(false);
  expect(await git(repository, 'branch', '--show-current')).toBe('main');
  expect(
    (await git(repository, 'status', '--porcelain'))
      .split('\n')
      .map((line) => line.trim())
      .toSorted(),
  ).toEqual(['?? progress.txt', 'M prd.json']);
  return await git(repository, 'rev-parse', `${branch}^{tree}`);
}

test('a PRD is worked through to a branch with one commit a story', async () => {
  const { path, model } = await createExampleRepository({ delayMs: 0 });
  const run = await stack.cli(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  expect(run.code, run.stderr).toBe(0);
  expect(JSON.parse(run.stdout)).toMatchObject({ outcome: 'completed', passed: 7, total: 7 });
  undisturbedTree = await expectCompleted(path);
  const attempts = await git(
    path,
    'log',
    '--format=%(trailers:key=Codetether-Attempt,valueonly,separator=%x2C)',
    '--grep',
    'US-004',
    branch,
  );
  expect(attempts, 'the first attempt at US-004 fails its gate').toBe('2');
  const progress = await readFile(join(path, 'progress.txt'), 'utf8');
  expect(progress.match(/^## Iteration/gm)).toHaveLength(8);
}, 120_000);

test('a second run of a PRD that has passed changes nothing', async () => {
  const { path, model } = await createExampleRepository({ delayMs: 0 });
  await stack.cli(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  const tip = await git(path, 'rev-parse', branch);
  const again = await stack.cli(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  expect(again.code, again.stderr).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'completed', passed: 7, total: 7 });
  expect(await git(path, 'rev-parse', branch)).toBe(tip);
}, 120_000);

describe('a run goes on to the same end when something is killed with -9 in its middle', () => {
  const scenarios: readonly (readonly [string, readonly (StackProcess | 'cli')[]])[] = [
    ['the CLI', ['cli']],
    ['the worker', ['worker']],
    ['the engine', ['temporal']],
    ['the database', ['postgres']],
    ['the API', ['api']],
    ['the supervisor', ['supervisor']],
    ['the database, with nobody to restart it while a command is attached', ['supervisor', 'postgres']],
    ['the database, with nobody to restart it, and the command', ['cli', 'supervisor', 'postgres']],
    ['everything at once', ['cli', 'supervisor', 'worker', 'api', 'temporal', 'postgres']],
  ];

  test.each(scenarios)(
    '%s',
    async (_, victims) => {
      const { path, model } = await createExampleRepository({ delayMs: 250 });
      const run = stack.start(['ralph', 'run', '--model', model, '--json'], { cwd: path });
      await untilPassed(path, 1);
      const pids = await stack.pids();
      for (const victim of victims) process.kill(victim === 'cli' ? run.pid : (pids.get(victim) ?? 0), 'SIGKILL');
      const ended = victims.includes('cli')
        ? await stack.cli(['ralph', 'attach', '--json'], { cwd: path })
        : await run.result;
      expect(ended.code, ended.stderr).toBe(0);
      expect((JSON.parse(ended.stdout) as Final).outcome).toBe('completed');
      expect(await expectCompleted(path)).toBe(undisturbedTree);
      // Whatever command comes next finds the stack whole, or makes it so.
      expect((await stack.cli(['ralph', 'list'])).code).toBe(0);
      const after = await stack.pids();
      expect([...after.keys()].toSorted()).toEqual(['api', 'postgres', 'supervisor', 'temporal', 'worker']);
      if (victims.length === 1 && victims[0] === 'supervisor') {
        for (const name of ['api', 'postgres', 'temporal', 'worker'] as const)
          expect(after.get(name), `${name} was adopted`).toBe(pids.get(name));
      }
    },
    180_000,
  );

  /** Until so many stories are on the run branch. */
  async function untilPassed(repository: string, count: number): Promise<void> {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(50)) {
      const commits = await git(repository, 'rev-list', '--count', `main..${branch}`).catch(() => '0');
      if (Number(commits) >= count) return;
    }
    throw new Error(`not ${count} stories passed within a minute`);
  }
});
