import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { Git } from './git.ts';
import { findWorktree, plainlyInWorktree } from './worktree.ts';

/** What builds and tests write and can write again. Dependencies (`node_modules`, `.venv`) are not among them: nobody may be there to install them. */
const names: ReadonlySet<string> = new Set([
  'target',
  'dist',
  'build',
  'out',
  'coverage',
  '.next',
  '.nuxt',
  '.turbo',
  '.parcel-cache',
  '.nyc_output',
  '.gradle',
  '.tox',
  '__pycache__',
  '.pytest_cache',
  '.mypy_cache',
  '.ruff_cache',
]);

/**
 * The build folders in a worktree: named as such and ignored by git as a whole, so that none of their files is anybody's work. None
 * where there is no worktree.
 */
export async function findBuildFolders(git: Git, folder: string): Promise<readonly string[]> {
  const worktree = await findWorktree(folder);
  if (worktree === undefined) return [];
  const asked = ['ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z'];
  const { stdout } = await git(asked, plainlyInWorktree(worktree));
  const found = stdout
    .split('\0')
    .filter((name) => name.endsWith('/') && names.has(path.basename(name)))
    .map((name) => path.join(folder, name.slice(0, -1)));
  const stats = await Promise.all(found.map(async (name) => await lstat(name).catch(() => undefined)));
  return found.filter((_, index) => stats[index]?.isDirectory() === true);
}
