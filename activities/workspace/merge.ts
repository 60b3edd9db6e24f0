import type { Git } from './git.ts';
import type { Repository } from './repository.ts';

/** `conflicts` are paths; `tree` then holds the files with conflict markers. */
export interface Merge {
  readonly tree: string;
  readonly conflicts: readonly string[];
}

/** Merges a commit into another in git's object store alone: no checkout, branch or index is touched. */
export async function mergeTrees(
  git: Git,
  repository: Pick<Repository, 'top'>,
  commits: { readonly onto: string; readonly commit: string },
): Promise<Merge> {
  const answer = await git(
    ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', commits.onto, commits.commit],
    { cwd: repository.top, accept: [1] },
  );
  const [tree = '', ...names] = answer.stdout.split('\0');
  return { tree, conflicts: [...new Set(names.filter((name) => name !== ''))] };
}

/**
 * Writes a copy of a commit with another tree and parent, all else kept: the same arguments give the same commit.
 * @param original as `git cat-file commit` shows it
 */
export async function rewriteCommit(
  git: Git,
  repository: Repository,
  change: { readonly original: string; readonly tree: string; readonly parent: string },
): Promise<string> {
  const end = change.original.indexOf('\n\n');
  const kept = change.original.slice(0, end).match(/^(author|committer|encoding) .*$/gm) ?? [];
  const header = [`tree ${change.tree}`, `parent ${change.parent}`, ...kept].join('\n');
  const answer = await git(['hash-object', '-t', 'commit', '-w', '--stdin'], {
    cwd: repository.top,
    input: `${header}${change.original.slice(end)}`,
  });
  return answer.stdout.trim();
}

/** First parent of a commit as `git cat-file commit` shows it. */
export function parentOf(original: string): string | undefined {
  return /^parent ([0-9a-f]+)$/m.exec(original.slice(0, original.indexOf('\n\n')))?.[1];
}
