import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createExampleRepository, createTestStack, git } from '../support/test-stack.ts';
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

test('what a run that is over left behind is shown, and goes when it is asked for or when a worker starts', async () => {
  const { path, model } = await createExampleRepository({ delayMs: 0 });
  const run = await stack.cli(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  expect(run.code, run.stderr).toBe(0);
  const nothing = await stack.cli(['cleanup', '--json']);
  expect(JSON.parse(nothing.stdout)).toMatchObject({ entries: [], more: 0 });

  const folder = join(path, '.codetether-worktrees', 'due-dates', 'us-001');
  const leave = () => git(path, 'worktree', 'add', '--quiet', '-b', 'codetether/due-dates/us-001', folder, 'main');
  const isLeft = async () =>
    existsSync(folder) ||
    (await git(path, 'branch', '--list', 'codetether/*')) !== '' ||
    existsSync(join(path, '.codetether-worktrees'));
  await leave();
  const preview = await stack.cli(['cleanup']);
  expect(preview.stdout).toMatch(new RegExp(`^left-over\t${folder}\tralph:${basename(path)}-`, 'm'));
  expect(preview.stdout).toMatch(/^left-over\tcodetether\/due-dates\/us-001\t/m);
  expect(existsSync(folder)).toBe(true);
  const narrow = async (...args: string[]) => JSON.parse((await stack.cli(['cleanup', '--json', ...args])).stdout);
  expect(await narrow('--dry-run', '--worktrees-only')).toMatchObject({
    cleaned: 0,
    success: true,
    applied: false,
    entries: [{ path: folder, state: 'left-over' }],
  });
  await mkdir(join(folder, 'dist'));
  await writeFile(join(folder, 'dist', 'a.js'), 'x');
  await writeFile(join(folder, '.gitignore'), 'dist/\n');
  expect(await narrow('--artifacts', '--apply')).toMatchObject({
    cleaned: 1,
    entries: [{ path: join(folder, 'dist'), state: 'removed' }],
  });
  for (const wrong of [
    ['--apply', '-d'],
    ['--artifacts', '--worktrees-only'],
  ])
    expect(await stack.cli(['cleanup', ...wrong])).toMatchObject({ code: 2, stdout: '' });
  const applied = await stack.cli(['cleanup', '--apply']);
  expect(applied.code, applied.stderr).toBe(0);
  expect(await isLeft()).toBe(false);

  await leave();
  await stack.kill('worker');
  for (const deadline = Date.now() + 30_000; Date.now() < deadline && (await isLeft()); await delay(100));
  expect(await isLeft()).toBe(false);
}, 120_000);
