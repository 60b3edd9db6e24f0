import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Git } from './git.ts';
import type { Repository } from './repository.ts';
import { readText } from './worktree.ts';

/** The folder that has the branch checked out, or is in the middle of a rebase or bisect of it. */
export async function findCheckout(
  git: Git,
  repository: Pick<Repository, 'top'>,
  ref: string,
): Promise<string | undefined> {
  const answer = await git(['worktree', 'list', '--porcelain'], { cwd: repository.top });
  for (const entry of answer.stdout.split('\n\n')) {
    const folder = /^worktree (.+)$/m.exec(entry)?.[1];
    if (folder === undefined || /^bare$/m.test(entry)) continue;
    const branch = /^branch (.+)$/m.exec(entry)?.[1];
    const isUsed = branch === ref || (branch === undefined && (await isWorkedOn(folder, ref)));
    // A worktree whose folder was deleted is nobody's any more.
    if (isUsed && (await stat(folder).catch(() => undefined)) !== undefined) return folder;
  }
  return undefined;
}

async function isWorkedOn(folder: string, ref: string): Promise<boolean> {
  const link = /^gitdir: (.+)$/m.exec(await readText(path.join(folder, '.git')))?.[1];
  const gitDir = path.resolve(folder, link ?? '.git');
  const names = await Promise.all(
    ['rebase-merge/head-name', 'rebase-apply/head-name', 'BISECT_START'].map((name) =>
      readText(path.join(gitDir, name)),
    ),
  );
  return names.some((name) => name.trim() === ref || `refs/heads/${name.trim()}` === ref);
}
