import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Git } from './git.ts';
import type { Repository } from './repository.ts';

/** Files open at the same time. */
const atOnce = 32;

/**
 * Brings the objects of a commit that `known` has not yet to the disk itself, so that they outlive a power failure:
 * git leaves that to the system. Call it before a branch is moved to the commit.
 */
export async function makeDurable(
  git: Git,
  repository: Repository,
  commits: { readonly commit: string; readonly known: string },
): Promise<void> {
  const range = [commits.commit, `^${commits.known}`];
  const answer = await git(['rev-list', '--objects', '--no-object-names', ...range], { cwd: repository.top });
  const objects = answer.stdout.split('\n').filter((name) => name !== '');
  const files = objects.map((name) => path.join(repository.commonDir, 'objects', name.slice(0, 2), name.slice(2)));
  await syncAll(files);
  await syncAll([...new Set(files.map((file) => path.dirname(file)))]);
}

async function syncAll(files: readonly string[]): Promise<void> {
  for (let start = 0; start < files.length; start += atOnce) {
    await Promise.all(files.slice(start, start + atOnce).map(sync));
  }
}

async function sync(file: string): Promise<void> {
  try {
    await using handle = await open(file, 'r');
    await handle.sync();
  } catch {
    // In a pack already (which git syncs), or a file system that does not sync folders.
  }
}
