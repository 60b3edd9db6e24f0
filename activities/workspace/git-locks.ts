import { readdir, readlink, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { listProcesses } from '../process/process-list.ts';

/** The lock file that git's message says it could not have, if it says so. */
export function lockFileNamed(message: string, cwd: string): string | undefined {
  const match = /Unable to create '(.+?\.lock)': File exists/.exec(message);
  return match?.[1] === undefined ? undefined : path.resolve(cwd, match[1]);
}

/**
 * True when the git that made the lock file is dead: no git process works in the repository any more, or (for what
 * worktrees share) the lock is a minute old.
 */
export async function isStaleLock(lock: string): Promise<boolean> {
  const found = await stat(lock).catch(() => undefined);
  if (found === undefined) return false;
  if (!(await gitWorksIn(repositoryFolderOf(lock)))) return true;
  return !isPrivate(lock) && Date.now() - found.mtimeMs > 60_000;
}

export async function removeLock(lock: string): Promise<void> {
  await rm(lock, { force: true });
}

/** Removes the locks that a killed git left in a worktree's git folder; one that a living git holds stays. */
export async function removeStaleLocks(worktree: { readonly path: string; readonly gitDir: string }): Promise<void> {
  const names = await readdir(worktree.gitDir).catch(() => []);
  const locks = names.filter((name) => name.endsWith('.lock'));
  if (locks.length === 0 || (await gitWorksIn(worktree.path))) return;
  await Promise.all(locks.map((name) => removeLock(path.join(worktree.gitDir, name))));
}

/** The files of a worktree's git folder lie under `worktrees/<name>/`. */
function isPrivate(lock: string): boolean {
  return path.basename(path.dirname(path.dirname(lock))) === 'worktrees';
}

function repositoryFolderOf(lock: string): string {
  const parts = lock.split(path.sep);
  const at = parts.lastIndexOf('.git');
  return at > 0 ? parts.slice(0, at).join(path.sep) : path.dirname(lock);
}

async function gitWorksIn(folder: string): Promise<boolean> {
  const programs = (await listProcesses()).filter((entry) => entry.alive && /^git\b/.test(entry.program));
  // Where a process works can be read on Linux only; elsewhere any git counts.
  if (process.platform !== 'linux') return programs.length > 0;
  const folders = await Promise.all(programs.map(({ pid }) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return folders.some((cwd) => cwd === folder || cwd.startsWith(`${folder}${path.sep}`));
}
