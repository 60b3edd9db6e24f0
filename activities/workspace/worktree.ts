import { copyFile, mkdir, readFile, readdir, realpath, rm, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import type { GitCall } from './git.ts';

/** A linked worktree of git, found by its own files. */
export interface Worktree {
  readonly path: string;
  /** `<common folder>/worktrees/<name>`: HEAD, index and locks of this worktree. */
  readonly gitDir: string;
  /** What all worktrees of the repository share. */
  readonly commonDir: string;
}

/** Files that nobody wants in a commit are listed here, besides what the user and the repository ignore. */
export function excludesFile(commonDir: string): string {
  return path.join(commonDir, 'codetether', 'exclude');
}

/**
 * The worktree at `folder`, or undefined when git does not know one there. Undefined rather than the repository around
 * it: a worktree without its `.git` file would make git work in the user's checkout.
 */
export async function findWorktree(folder: string): Promise<Worktree | undefined> {
  const link = await readText(path.join(folder, '.git'));
  const gitDir = /^gitdir: (.+)$/m.exec(link)?.[1];
  if (gitDir === undefined) return undefined;
  const absolute = path.resolve(folder, gitDir);
  const back = (await readText(path.join(absolute, 'gitdir'))).trim();
  if (back === '' || !(await isSame(path.dirname(path.resolve(absolute, back)), folder))) return undefined;
  const common = (await readText(path.join(absolute, 'commondir'))).trim();
  if (common === '') return undefined;
  return { path: folder, gitDir: absolute, commonDir: path.resolve(absolute, common) };
}

/**
 * The worktree at `folder`; a `.git` file that was deleted or overwritten is written anew.
 * Throws `workspace-failed` when git knows of no worktree there.
 */
export async function requireWorktree(folder: string): Promise<Worktree> {
  const found = await findWorktree(folder);
  if (found !== undefined) return found;
  const repaired = await repairLink(folder);
  if (repaired !== undefined) return repaired;
  throw new CodetetherError('workspace-failed', `There is no git worktree at ${folder} any more.`, {
    next: 'Start the run again; the workspace is made anew.',
  });
}

async function repairLink(folder: string): Promise<Worktree | undefined> {
  const top = path.resolve(folder, '../../..');
  const commonDir = await commonDirOf(top);
  if (commonDir === undefined) return undefined;
  const [gitDir] = await registrationsOf(commonDir, folder);
  if (gitDir === undefined) return undefined;
  await mkdir(folder, { recursive: true });
  await rm(path.join(folder, '.git'), { recursive: true, force: true });
  await writeFile(path.join(folder, '.git'), `gitdir: ${gitDir}\n`);
  return findWorktree(folder);
}

/** The git folder that is shared by all worktrees of the checkout at `top`. */
export async function commonDirOf(top: string): Promise<string | undefined> {
  const dotGit = path.join(top, '.git');
  const link = await readText(dotGit);
  const gitDir = link === '' ? dotGit : path.resolve(top, /^gitdir: (.+)$/m.exec(link)?.[1] ?? path.join(top, '.git'));
  if ((await readText(path.join(gitDir, 'HEAD'))) === '') return undefined;
  const common = (await readText(path.join(gitDir, 'commondir'))).trim();
  return common === '' ? gitDir : path.resolve(gitDir, common);
}

/** Git folders under `<common folder>/worktrees` that belong to a worktree at `folder`, whether it exists or not. */
export async function registrationsOf(commonDir: string, folder: string): Promise<readonly string[]> {
  const parent = path.join(commonDir, 'worktrees');
  const names = await readdir(parent).catch(() => []);
  const matches = await Promise.all(
    names.map(async (name) => {
      const back = (await readText(path.join(parent, name, 'gitdir'))).trim();
      return back !== '' && (await isSame(path.dirname(path.resolve(parent, name, back)), folder));
    }),
  );
  return names.filter((_, index) => matches[index] === true).map((name) => path.join(parent, name));
}

/** How to run git in a worktree: the repository is named, never looked for. */
export function inWorktree(worktree: Worktree): GitCall {
  return { ...plainlyInWorktree(worktree), excludesFile: excludesFile(worktree.commonDir) };
}

/** The same with no other files ignored than the user's. */
export function plainlyInWorktree(worktree: Worktree): GitCall {
  return { cwd: worktree.path, gitDir: worktree.gitDir, workTree: worktree.path };
}

/** The index of checkpoints: apart from the agent's own, so that what it stages and commits does not matter. */
export function checkpointIndex(worktree: Worktree): string {
  return path.join(worktree.gitDir, 'codetether-index');
}

/** Copies an index whole or not at all. */
export async function copyIndex(from: string, to: string): Promise<void> {
  const temporary = `${to}.new`;
  await copyFile(from, temporary);
  await rename(temporary, to);
}

/** The commit that HEAD names when that can be read from files alone. */
export async function readHead(
  worktree: Worktree,
): Promise<{ readonly branch: string | null; readonly commit: string | null }> {
  const head = (await readText(path.join(worktree.gitDir, 'HEAD'))).trim();
  const ref = /^ref: (.+)$/.exec(head)?.[1];
  if (ref === undefined) return { branch: null, commit: isCommit(head) ? head : null };
  return { branch: ref, commit: await readLooseRef(worktree.commonDir, ref) };
}

/** The commit of a ref that git keeps in a file of its own, as it does with refs that were moved lately; null for others. */
export async function readLooseRef(commonDir: string, ref: string): Promise<string | null> {
  const loose = (await readText(path.join(commonDir, ref))).trim();
  return isCommit(loose) ? loose : null;
}

function isCommit(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** The file's text, empty when there is none. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}

async function isSame(a: string, b: string): Promise<boolean> {
  if (path.resolve(a) === path.resolve(b)) return true;
  const [realA, realB] = await Promise.all([realpath(a).catch(() => a), realpath(b).catch(() => b)]);
  return realA === realB;
}
