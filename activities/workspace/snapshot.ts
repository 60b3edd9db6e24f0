import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Git } from './git.ts';
import { checkpointIndex, copyIndex, inWorktree, type Worktree } from './worktree.ts';

/**
 * Writes the worktree's files (tracked and untracked, not the ignored ones) into git and returns the tree. The
 * index of checkpoints holds the same afterwards; the worktree's own index is not touched. Repositories that were made
 * inside the worktree count as plain folders.
 */
export async function snapshotTree(git: Git, worktree: Worktree): Promise<string> {
  await stageAll(git, worktree);
  return writeTree(git, worktree);
}

/** Brings the index of checkpoints to what the worktree's files are. */
export async function stageAll(git: Git, worktree: Worktree): Promise<void> {
  const indexFile = checkpointIndex(worktree);
  const at = { ...inWorktree(worktree), indexFile };
  if (!(await exists(indexFile))) await copyIndex(path.join(worktree.gitDir, 'index'), indexFile).catch(() => {});
  const left = new Set<string>();
  for (;;) {
    const exclude = [...left].map((folder) => `:(exclude,top,literal)${folder}`);
    const answer = await git(['add', '-A', '--', '.', ...exclude], { ...at, accept: [1, 128] });
    const nested = [...answer.stderr.matchAll(/adding embedded git repository: (.+)$/gm)].map((match) => match[1]);
    for (const folder of nested) if (folder !== undefined) await stageNested(git, worktree, folder.replace(/\/$/, ''));
    if (answer.exitCode === 0) return;
    const empty = /'(.+?)\/?' does not have a commit checked out/.exec(answer.stderr)?.[1];
    if (empty === undefined || left.has(empty)) {
      await git(['add', '-A', '--', '.', ...exclude], at);
      return;
    }
    await stageNested(git, worktree, empty);
    left.add(empty);
  }
}

export async function writeTree(git: Git, worktree: Worktree): Promise<string> {
  const call = { ...inWorktree(worktree), indexFile: checkpointIndex(worktree) };
  return (await git(['write-tree'], call)).stdout.trim();
}

/** Puts the files of a repository inside the worktree into the index one by one; git itself would store only its commit. */
async function stageNested(git: Git, worktree: Worktree, folder: string): Promise<void> {
  const at = inWorktree(worktree);
  const nested = path.join(worktree.path, folder);
  const listed = await git(['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'], {
    cwd: nested,
    gitDir: path.join(nested, '.git'),
    workTree: nested,
  });
  const names = listed.stdout.split('\0').filter((name) => name !== '' && !name.endsWith('/'));
  const present = await Promise.all(names.map((name) => exists(path.join(nested, name))));
  const files = names.filter((_, index) => present[index] === true).map((name) => `${folder}/${name}`);
  const indexFile = checkpointIndex(worktree);
  await git(['rm', '-r', '-q', '-f', '--cached', '--ignore-unmatch', '--', `:(top,literal)${folder}`], {
    ...at,
    indexFile,
  });
  if (files.length === 0) return;
  await git(['update-index', '--add', '-z', '--stdin'], { ...at, indexFile, input: files.join('\0') });
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
