import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import type { FileChange } from '../../domain/session/turn-facts.ts';
import type { Git } from '../workspace/git.ts';

/**
 * What git says of a folder's repository at one moment: the commit, and every file that is not as it is there, with size and time of
 * change (null: it is not there).
 *
 * ```json
 * { "top": "/home/me/todo", "head": "4f2a…", "files": { "src/a.ts": "120:1763700000000" } }
 * ```
 */
export const FolderState = z.object({
  /** The repository's top folder, which the files are relative to. */
  top: z.string(),
  /** Null before the first commit. */
  head: z.string().nullable(),
  files: z.record(z.string(), z.string().nullable()),
});
export type FolderState = z.infer<typeof FolderState>;

/** With more files that are not as in the commit, git is not asked: most of them are nobody's work. */
const mostFiles = 5_000;
/** Of a repository without commits. */
export const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** Undefined where the folder is in no repository, or in one that cannot be looked at. */
export async function readFolderState(git: Git, folder: string): Promise<FolderState | undefined> {
  return await unlessUnreadable(async () => {
    const [top, status] = await Promise.all([topOf(git, folder), readStatus(git, folder)]);
    return { top, head: status.head, files: await printsOf(top, [...status.files.keys()]) };
  });
}

/**
 * What has become of the files of the folder's repository since then, whoever did it; paths are relative to the folder. Undefined
 * where that cannot be known.
 */
export async function changesSince(
  git: Git,
  folder: string,
  before: FolderState,
): Promise<readonly FileChange[] | undefined> {
  return await unlessUnreadable(async () => {
    const { top } = before;
    const status = await readStatus(git, folder);
    const files = status.head === before.head ? status.files : await sinceCommit(git, top, before.head, status);
    const known = Object.keys(before.files);
    const prints = await printsOf(top, known);
    const changes = known.flatMap((path) => changeOf(path, before.files[path] ?? null, prints[path] ?? null));
    for (const [path, change] of files) if (!(path in before.files)) changes.push({ path, change });
    return changes.map(({ path, change }) => ({ path: relative(folder, join(top, path)), change }));
  });
}

/** Those of the files that git does not look at, so that it cannot know of their changes. */
export async function ignoredAmong(git: Git, folder: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  const input = paths.map((path) => `${path}\0`).join('');
  const answer = await git(['check-ignore', '-z', '--stdin'], { cwd: folder, input, accept: [1, 128] });
  // In a repository within the repository, say.
  return new Set(answer.exitCode === 128 ? paths : answer.stdout.split('\0').filter((path) => path !== ''));
}

function changeOf(path: string, was: string | null, is: string | null): FileChange[] {
  if (was === is) return [];
  return [{ path, change: was === null ? 'added' : is === null ? 'deleted' : 'changed' }];
}

interface Status {
  readonly head: string | null;
  readonly files: ReadonlyMap<string, FileChange['change']>;
}

async function topOf(git: Git, folder: string): Promise<string> {
  return (await git(['rev-parse', '--show-toplevel'], { cwd: folder })).stdout.replace(/\n$/, '');
}

async function readStatus(git: Git, folder: string): Promise<Status> {
  const args = [
    'status',
    '--porcelain=v2',
    '--branch',
    '--no-ahead-behind',
    '-z',
    '--untracked-files=all',
    '--no-renames',
  ];
  const { stdout } = await git(args, { cwd: folder });
  const files = new Map<string, FileChange['change']>();
  let head: string | null = null;
  for (const line of stdout.split('\0')) {
    const oid = /^# branch\.oid ([0-9a-f]+)$/.exec(line)?.[1];
    if (oid !== undefined) head = oid;
    if (line.startsWith('? ') && !line.endsWith('/')) files.set(line.slice(2), 'added');
    // `1 XY sub mH mI mW hH hI path`; of a conflict `u XY sub m1 m2 m3 mW h1 h2 h3 path`.
    const [, index, tree, path] = /^(?:1 (.)(.)(?: \S+){6}|u (?:..)(?: \S+){8}) ([\s\S]+)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isGone = tree === 'D' || (index === 'D' && tree === '.');
    if (index === 'A' && isGone) continue;
    files.set(path, isGone ? 'deleted' : index === 'A' ? 'added' : 'changed');
  }
  if (files.size > mostFiles) throw new CodetetherError('workspace-failed', `${files.size} files are not committed`);
  return { head, files };
}

/** The turn has made commits, or taken another one out. */
async function sinceCommit(
  git: Git,
  top: string,
  commit: string | null,
  now: Status,
): Promise<ReadonlyMap<string, FileChange['change']>> {
  const args = ['diff', '--name-status', '-z', '--no-renames', '--no-ext-diff', commit ?? emptyTree];
  const { stdout } = await git(args, { cwd: top });
  const parts = stdout.split('\0');
  const files = new Map([...now.files].filter(([, change]) => change === 'added'));
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [kind, path] = [parts[at], parts[at + 1] ?? ''];
    files.set(path, kind === 'A' ? 'added' : kind === 'D' ? 'deleted' : 'changed');
  }
  return files;
}

async function printsOf(top: string, paths: readonly string[]): Promise<FolderState['files']> {
  const prints = await Promise.all(
    paths.map(async (path) => {
      const stats = await lstat(join(top, path)).catch(() => undefined);
      return [path, stats === undefined ? null : `${stats.size}:${stats.mtimeMs}`] as const;
    }),
  );
  return Object.fromEntries(prints);
}

/** What is told of a turn must not keep it from beginning or ending. */
async function unlessUnreadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CodetetherError) return undefined;
    throw error;
  }
}
