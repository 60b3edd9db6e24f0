import type { Git } from '../workspace/git.ts';
import { inWorktree, type Worktree } from '../workspace/worktree.ts';

/** Tracked and untracked files that git does not ignore, relative to the worktree, sorted; deleted ones may be among them. */
export async function listFiles(git: Git, worktree: Worktree): Promise<readonly string[]> {
  const { stdout } = await git(
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    inWorktree(worktree),
  );
  return stdout
    .split('\0')
    .filter((name) => name !== '' && !name.endsWith('/'))
    .toSorted();
}
