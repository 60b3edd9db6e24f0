import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { slug } from '../../domain/run/ids.ts';
import type { Git } from '../workspace/git.ts';

export interface FoundRepository {
  /** The main checkout's top folder; with a bare main repository the top folder of the checkout that was asked for. */
  readonly top: string;
  /** The commit that the main checkout is at. */
  readonly head: string;
  /** `<folder>-<six hex digits>`, the same for all checkouts of one repository. */
  readonly key: string;
  /** The checkout that `folder` is in, when it is another than the main one, with its commit. */
  readonly asked: { readonly top: string; readonly head: string } | null;
}

const oldestGit: readonly [number, number] = [2, 38];

/** Throws `git-unusable`. `merge-tree --write-tree`, which the merge lane lives on, came with 2.38. */
export async function requireGit(git: Git, folder: string): Promise<void> {
  let version: string;
  try {
    version = (await git(['version'], { cwd: folder })).stdout.trim();
  } catch (error) {
    throw new CodetetherError('git-unusable', 'git cannot be started.', { cause: error });
  }
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld = Number(major) < oldestGit[0] || (Number(major) === oldestGit[0] && Number(minor) < oldestGit[1]);
  if (isOld) throw new CodetetherError('git-unusable', `This is ${version}; 2.38 or newer is needed.`);
}

/**
 * The repository that a folder is in; reads only.
 * Throws `not-a-repository` (also for a bare repository and inside `.git`), `repository-empty`.
 */
export async function findRepository(git: Git, folder: string): Promise<FoundRepository> {
  const asked = await topOf(git, folder);
  const main = asked.gitDir === asked.commonDir ? null : await mainCheckout(git, asked);
  const top = main ?? asked.top;
  const head = await headOf(git, top);
  const realCommonDir = await realpath(asked.commonDir);
  const digits = createHash('sha256').update(realCommonDir).digest('hex').slice(0, 6);
  return {
    top,
    head,
    key: `${slug(basename(top))}-${digits}`,
    asked: main === null ? null : { top: asked.top, head: await headOf(git, asked.top) },
  };
}

async function topOf(
  git: Git,
  folder: string,
): Promise<{ readonly top: string; readonly gitDir: string; readonly commonDir: string }> {
  const found = await git(
    [
      'rev-parse',
      '--path-format=absolute',
      '--is-bare-repository',
      '--is-inside-work-tree',
      '--git-dir',
      '--git-common-dir',
    ],
    { cwd: folder, accept: [128] },
  );
  if (found.exitCode !== 0) {
    const reason = found.stderr.trim().replace(/^fatal: /, '');
    if (/not a git repository/i.test(reason))
      throw new CodetetherError('not-a-repository', `${folder} is not in a git repository.`);
    throw new CodetetherError('not-a-repository', `git does not take ${folder} for a repository.`, {
      problems: reason.split('\n').filter((line) => line.trim() !== ''),
      next: 'Do what git says.',
    });
  }
  const [isBare, isInside, gitDir = '', commonDir = ''] = found.stdout.trimEnd().split('\n');
  if (isInside !== 'true') {
    const what = isBare === 'true' ? 'is a bare repository' : 'is inside .git';
    throw new CodetetherError('not-a-repository', `${folder} ${what}; a run needs a checkout.`, {
      next: 'Go to a checkout of it: git clone, or git worktree add.',
    });
  }
  const top = await git(['rev-parse', '--path-format=absolute', '--show-toplevel'], { cwd: folder });
  return { top: top.stdout.replace(/\n$/, ''), gitDir, commonDir };
}

async function headOf(git: Git, top: string): Promise<string> {
  const head = await git(['rev-parse', '--verify', '-q', 'HEAD^{commit}'], { cwd: top, accept: [1, 128] });
  if (head.exitCode !== 0) throw new CodetetherError('repository-empty', `${top} has no commit yet.`);
  return head.stdout.trim();
}

/** The first that git lists; null when that is no checkout (a bare repository, or a submodule's git folder). */
async function mainCheckout(
  git: Git,
  asked: { readonly top: string; readonly commonDir: string },
): Promise<string | null> {
  const { stdout } = await git(['worktree', 'list', '--porcelain', '-z'], { cwd: asked.top });
  const [first = ''] = stdout.split('\0\0');
  const lines = first.split('\0');
  const path = lines.find((line) => line.startsWith('worktree '))?.slice('worktree '.length);
  if (path === undefined || lines.includes('bare') || path === asked.commonDir) return null;
  return realpath(path).catch(() => null);
}
