import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runProgram } from './cli-fake-api.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-worktree-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('where no stack was ever started, none is started to clean up', async () => {
  const path = join(folder, 'todo');
  mkdirSync(path);
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: path });
  git('init', '--quiet', '--initial-branch', 'trunk');
  git('commit', '--quiet', '--allow-empty', '-m', 'start');
  git('worktree', 'add', '--quiet', '../one');
  const ended = await runProgram(['worktree', 'cleanup', '--apply', '--json'], {
    cwd: path,
    environment: { CODETETHER_DATA_DIR: join(folder, 'data') },
  });
  expect(JSON.parse(ended.stdout), ended.stderr).toEqual({
    base: 'trunk',
    applied: true,
    entries: [
      { path, branch: 'trunk', state: 'primary' },
      { path: join(folder, 'one'), branch: 'one', state: 'removed' },
    ],
  });
  const outside = await runProgram(['worktree', 'list'], { cwd: folder });
  expect([outside.code, outside.stderr]).toEqual([2, expect.stringContaining('[not-a-repository]')]);
});
