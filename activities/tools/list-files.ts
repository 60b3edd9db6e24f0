import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from '../workspace/git.ts';
import { inWorktree, type Worktree } from '../workspace/worktree.ts';

/** Tracked and untracked files that git does not ignore, relative to the worktree, sorted; deleted ones may be among them. */
export async function listFiles(git: Git, worktree: Worktree): Promise<readonly string[]> {
  const { stdout } = await git(
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    inWorktree(worktree),
  );
  return namesOf(stdout);
}

const mostFiles = 50_000;
const skippedFolders: readonly string[] = ['.git', 'node_modules', '.venv'];

/** The same for any folder: what git does not ignore where it is in a repository, else all files but those of installed dependencies. */
export async function listFolder(git: Git, folder: string): Promise<readonly string[]> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const answer = await git(args, { cwd: folder, accept: [128] });
  return answer.exitCode === 0 ? namesOf(answer.stdout) : (await walk(folder)).toSorted();
}

function namesOf(stdout: string): readonly string[] {
  return stdout
    .split('\0')
    .filter((name) => name !== '' && !name.endsWith('/'))
    .toSorted();
}

/** Links are named, not followed. */
async function walk(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const left = [''];
  for (let at = left.pop(); at !== undefined && found.length < mostFiles; at = left.pop()) {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true }).catch(() => [])) {
      const name = at === '' ? entry.name : `${at}/${entry.name}`;
      if (!entry.isDirectory()) found.push(name);
      else if (!skippedFolders.includes(entry.name)) left.push(name);
    }
  }
  return found.slice(0, mostFiles);
}
