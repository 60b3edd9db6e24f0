import { lstat, mkdir, readdir, rmdir, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { excludeFromStatus } from './exclude.ts';
import type { Git } from './git.ts';
import { removeStaleLocks } from './git-locks.ts';
import { forgetOperations } from './checkpoint.ts';
import { removeFolder } from './remove-folder.ts';
import type { Repository } from './repository.ts';
import {
  findWorktree,
  plainlyInWorktree,
  readText,
  registrationsOf,
  requireWorktree,
  type Worktree,
} from './worktree.ts';

/** Folders that hold installed dependencies; a worktree gets a link to the main checkout's. */
const dependencyFolders = ['node_modules', '.venv'];

/**
 * A fresh worktree at `folder`; whatever was there before, finished or half-made, is thrown away.
 * @param target `branch` is made or reset to `commit`; without one HEAD is detached
 * Throws `workspace-failed`, also when the branch is checked out somewhere else.
 */
export async function createWorktree(
  git: Git,
  repository: Repository,
  target: { readonly folder: string; readonly commit: string; readonly branch?: string },
): Promise<Worktree> {
  await removeWorktree(repository, target.folder);
  await mkdir(path.dirname(target.folder), { recursive: true });
  const head = target.branch === undefined ? ['--detach'] : ['-B', target.branch];
  await git(['worktree', 'add', '-q', ...head, target.folder, target.commit], { cwd: repository.top });
  const worktree = await requireWorktree(target.folder);
  await linkDependencies(git, repository, worktree);
  return worktree;
}

/** Removes a worktree's folder and what git knows of it, also when only one of the two is there. */
export async function removeWorktree(repository: Repository, folder: string): Promise<void> {
  await removeFolder(folder);
  const registrations = await registrationsOf(repository.commonDir, folder);
  for (const registration of registrations) await removeFolder(registration);
  await removeUnfinishedRegistrations(repository, path.basename(folder));
}

/**
 * Checks a commit out in a worktree with a detached HEAD, made when it is missing; only files that the
 * user ignores stay in it.
 */
export async function checkOut(
  git: Git,
  repository: Repository,
  target: { readonly folder: string; readonly commit: string },
): Promise<Worktree> {
  const worktree = await findWorktree(target.folder);
  if (worktree === undefined) return createWorktree(git, repository, target);
  await removeStaleLocks(worktree);
  await forgetOperations(worktree);
  const at = plainlyInWorktree(worktree);
  await git(['checkout', '-q', '--detach', '--force', target.commit], at);
  await git(['clean', '-ffdq'], at);
  await linkDependencies(git, repository, worktree);
  return worktree;
}

/** Links the dependency folders of the main checkout that git ignores there; what the worktree has itself stays. */
export async function linkDependencies(git: Git, repository: Repository, worktree: Worktree): Promise<void> {
  const wanted: string[] = [];
  for (const name of dependencyFolders) {
    const there = await stat(path.join(repository.top, name)).catch(() => undefined);
    const here = await lstat(path.join(worktree.path, name)).catch(() => undefined);
    if (there?.isDirectory() === true && here === undefined) wanted.push(name);
  }
  if (wanted.length === 0) return;
  const answer = await git(['check-ignore', '--', ...wanted], { cwd: repository.top, accept: [1] });
  const ignored = wanted.filter((name) => answer.stdout.split('\n').includes(name));
  if (ignored.length === 0) return;
  // `node_modules/` in a .gitignore means folders only, not links.
  await excludeFromStatus(
    repository.commonDir,
    ignored.map((name) => `/${name}`),
  );
  for (const name of ignored) await symlink(path.join(repository.top, name), path.join(worktree.path, name), 'dir');
}

/** Removes a folder when it is empty, and its parent then, up to (not including) `above`. */
export async function removeEmptyFolders(folder: string, above: string): Promise<void> {
  for (let current = folder; current !== above && current.startsWith(above); current = path.dirname(current)) {
    try {
      await rmdir(current);
    } catch {
      // Something is in it, or it is gone already.
      return;
    }
  }
}

/** Registrations that a killed `git worktree add` began: without a way back, so that git can never finish them. */
async function removeUnfinishedRegistrations(repository: Repository, name: string): Promise<void> {
  const parent = path.join(repository.commonDir, 'worktrees');
  const names = await readdir(parent).catch(() => []);
  for (const candidate of names) {
    const belongs = candidate.startsWith(name) && /^\d*$/.test(candidate.slice(name.length));
    if (!belongs || (await readText(path.join(parent, candidate, 'gitdir'))) !== '') continue;
    await removeFolder(path.join(parent, candidate));
  }
}

/** Whether git refused a branch since it is checked out somewhere. */
export function isBranchInUse(error: unknown): boolean {
  return (
    error instanceof CodetetherError &&
    /already (checked out|used by worktree)|cannot force update the branch/.test(error.message)
  );
}
