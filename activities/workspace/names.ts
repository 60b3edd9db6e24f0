import { createHash } from 'node:crypto';
import path from 'node:path';
import { shortRunId, slug } from '../../domain/run/ids.ts';

/** Folder of all worktrees, in the repository's top folder. */
export const worktreesFolder = '.codetether-worktrees';

interface RunPlace {
  readonly runId: string;
  readonly repoPath: string;
}

interface StoryPlace {
  readonly runId: string;
  readonly storyId: string;
}

/** Folder of a run's worktrees. */
export function runFolder(run: RunPlace): string {
  return path.join(run.repoPath, worktreesFolder, runName(run.runId));
}

/** Where stories' commits are put onto the run branch and checked. No story can have this folder: ids begin otherwise. */
export function integrationFolder(run: RunPlace): string {
  return path.join(runFolder(run), '_merge');
}

/**
 * Folder and branch of a story: `…/due-dates/us-001`, `codetether/due-dates/us-001`.
 * @param storyIds of the run: ids that differ in case only get a suffix, since file systems may not tell them apart
 */
export function storyNames(
  run: RunPlace & { readonly branch: string },
  storyId: string,
  storyIds: readonly string[],
): { readonly folder: string; readonly branch: string } {
  const plain = safeName(storyId);
  const shared = storyIds.some((other) => other !== storyId && safeName(other) === plain);
  const name = shared ? `${plain}-${createHash('sha256').update(storyId).digest('hex').slice(0, 6)}` : plain;
  // A branch `codetether` or `codetether/due-dates` leaves no room for branches below it.
  const prefix = /^codetether(\/|$)/.test(run.branch) ? 'codetether-stories' : 'codetether';
  return { folder: path.join(runFolder(run), name), branch: `${prefix}/${runName(run.runId)}/${name}` };
}

/** Ref that keeps a workspace's newest checkpoint from gc. */
export function checkpointRef(workspace: StoryPlace): string {
  const name = createHash('sha256').update(workspace.storyId).digest('hex').slice(0, 12);
  return `refs/codetether/${runName(workspace.runId)}/${name}`;
}

/** Name of a run's folder and of its part of the branches' names. */
export function runName(runId: string): string {
  return slug(shortRunId(runId));
}

/** A story id in lower case, changed further only where git does not allow it in a branch. */
function safeName(storyId: string): string {
  return storyId
    .toLowerCase()
    .replace(/\.{2,}/g, '-')
    .replace(/\.lock$/, '-lock')
    .replace(/\.$/, '-');
}
