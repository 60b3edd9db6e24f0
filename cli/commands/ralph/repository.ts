import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * Top folder of the main checkout that `folder` is in, links resolved, also from a linked worktree; undefined outside
 * of any. Reads two files at most and starts no git.
 */
export function findRepository(folder: string): string | undefined {
  for (let at = realpath(folder); ; at = dirname(at)) {
    const git = join(at, '.git');
    const kind = statSync(git, { throwIfNoEntry: false });
    if (kind?.isDirectory() === true) return at;
    if (kind?.isFile() === true) return mainCheckout(at, git) ?? at;
    if (dirname(at) === at) return undefined;
  }
}

/** `gitdir: /repo/.git/worktrees/name` → `/repo`. */
function mainCheckout(folder: string, file: string): string | undefined {
  const target = /^gitdir:\s*(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  if (target === undefined) return undefined;
  const worktrees = dirname(resolve(folder, target.trim()));
  const gitFolder = dirname(worktrees);
  return basename(worktrees) === 'worktrees' && basename(gitFolder) === '.git'
    ? realpath(dirname(gitFolder))
    : undefined;
}

/** Links resolved as far as the path exists. */
export function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
