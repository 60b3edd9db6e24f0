import { CodetetherError, asCodetetherError } from '../../domain/errors.ts';
import type { Environment } from '../config/environment.ts';
import { gitIn } from './run-git.ts';
import type { Git } from './run-git.ts';

export interface Worktree {
  readonly path: string;
  /** Null when no branch is checked out. */
  readonly branch: string | null;
  /** Null in a bare repository. */
  readonly head: string | null;
  /** The one that the others are linked to. */
  readonly isPrimary: boolean;
  readonly isLocked: boolean;
  /** Its folder is gone. */
  readonly isPrunable: boolean;
}

/** All worktrees of the repository around a folder, the primary one first. @throws `not-a-repository` */
export async function listWorktrees(git: Git): Promise<readonly Worktree[]> {
  const { stdout } = await git(['worktree', 'list', '--porcelain', '-z']).catch((error: unknown) => {
    if (/not a git repository/i.test(asCodetetherError(error).message)) throw new CodetetherError('not-a-repository');
    throw error;
  });
  return stdout
    .split('\0\0')
    .filter((entry) => entry !== '')
    .map((entry, index) => {
      const fields = new Map(
        entry.split('\0').map((line) => {
          const space = line.indexOf(' ');
          return space === -1 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
        }),
      );
      return {
        path: fields.get('worktree') ?? '',
        branch: fields.get('branch')?.replace(/^refs\/heads\//, '') ?? null,
        head: fields.get('HEAD') ?? null,
        isPrimary: index === 0,
        isLocked: fields.has('locked'),
        isPrunable: fields.has('prunable'),
      };
    });
}

/** The top folder of the worktree around a folder; undefined in a bare repository. */
export async function currentWorktree(git: Git): Promise<string | undefined> {
  const { exitCode, stdout } = await git(['rev-parse', '--show-toplevel'], { accept: [128] });
  return exitCode === 0 ? stdout.trimEnd() : undefined;
}

/** What work has to be in before its worktree can go: a branch or commit, also as the remote has it. */
export interface Base {
  readonly name: string;
  readonly commits: readonly string[];
}

/** @param wanted default: main, else the remote's default branch, else the branch of the primary worktree @throws `usage` */
export async function readBase(git: Git, wanted: string | undefined): Promise<Base> {
  const commitOf = async (name: string): Promise<string | undefined> => {
    const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
    const { exitCode, stdout } = await git(asked, { accept: [1, 128] });
    return exitCode === 0 ? stdout.trim() : undefined;
  };
  const remoteDefault = async () =>
    (await git(['symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD'], { accept: [1, 128] })).stdout.trim();
  const primary = async () => (await listWorktrees(git))[0]?.branch ?? '';
  for (const candidate of wanted === undefined ? [async () => 'main', remoteDefault, primary] : [async () => wanted]) {
    const name = await candidate();
    const found = name === '' ? [] : [await commitOf(name), await commitOf(`refs/remotes/origin/${name}`)];
    const commits = found.filter((commit) => commit !== undefined);
    if (commits.length > 0) return { name, commits };
  }
  throw new CodetetherError('usage', wanted === undefined ? 'there is no branch main' : `there is no ${wanted} here`, {
    next: 'Name the branch that finished work is in: --base NAME',
  });
}

/** Whether a linked worktree could go without anything being lost. Never throws. */
export async function inspectWorktree(
  worktree: Worktree,
  base: Base,
  environment: Environment,
): Promise<{ readonly state: 'ready' | 'dirty' | 'unmerged' | 'inspection_failed'; readonly error?: string }> {
  const git = gitIn(worktree.path, environment);
  try {
    const changes = await git(['status', '--porcelain', '--untracked-files=normal', '--ignore-submodules=none']);
    if (changes.stdout !== '') return { state: 'dirty' };
    for (const commit of base.commits) {
      const { exitCode } = await git(['merge-base', '--is-ancestor', 'HEAD', commit], { accept: [1] });
      if (exitCode === 0) return { state: 'ready' };
    }
    return { state: 'unmerged' };
  } catch (error) {
    return { state: 'inspection_failed', error: asCodetetherError(error).message };
  }
}

/** Takes a worktree away, not its branch. Without force: git itself refuses what has changed meanwhile. @throws `git-failed` */
export async function removeWorktree(git: Git, { path }: Worktree): Promise<void> {
  await git(['worktree', 'remove', '--', path]);
}
