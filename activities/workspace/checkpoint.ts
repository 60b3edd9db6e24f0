import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkspaceRecord } from '../../domain/contracts/store.ts';
import type { Git } from './git.ts';
import { removeStaleLocks } from './git-locks.ts';
import { checkpointRef } from './names.ts';
import { publish } from './remote.ts';
import { snapshotTree } from './snapshot.ts';
import {
  checkpointIndex,
  copyIndex,
  inWorktree,
  readHead,
  readText,
  requireWorktree,
  type Worktree,
} from './worktree.ts';

export type CheckpointedWorkspace = Pick<
  WorkspaceRecord,
  'path' | 'runId' | 'storyId' | 'branch' | 'base' | 'checkpoint' | 'lease' | 'remote'
>;

/**
 * Commits the workspace's whole state (tracked and untracked files, not the ignored ones) without touching its branch,
 * index or files, and keeps the commit from gc by `refs/codetether/<run>/<story>`; that of a shared run lies in the shared remote too. Returns
 * `workspace.checkpoint` when nothing changed since; else a new commit on top of it, which the caller stores as the workspace's
 * checkpoint. One at a time per workspace. Throws `workspace-failed`, `disk-full`, `remote-unavailable`.
 */
export async function createCheckpoint(git: Git, workspace: CheckpointedWorkspace): Promise<string> {
  const worktree = await requireWorktree(workspace.path);
  const [tree, previousTree] = await Promise.all([
    snapshotTree(git, worktree),
    treeOf(git, worktree, workspace.checkpoint),
  ]);
  if (tree === previousTree) return workspace.checkpoint;
  const head = await headCommit(git, worktree);
  const message = `codetether checkpoint of ${workspace.storyId}\n\n${headTrailer}${head}\n`;
  // What the agent has committed itself comes along to another host.
  const own = head === workspace.base || head === '' ? [] : ['-p', head];
  const answer = await git(['commit-tree', tree, '-p', workspace.checkpoint, ...own], {
    ...inWorktree(worktree),
    input: message,
    env: checkpointIdentity,
  });
  const checkpoint = answer.stdout.trim();
  await git(['update-ref', checkpointRef(workspace), checkpoint], inWorktree(worktree));
  await publish(git, inWorktree(worktree), { workspace, commit: checkpoint, as: 'checkpoint' });
  await rememberTree(worktree, checkpoint, tree);
  return checkpoint;
}

/**
 * Puts the workspace's files back to exactly what `workspace.checkpoint` holds: changed and deleted ones come back, those made
 * since go, ignored ones stay. HEAD is on the workspace's branch again, at the commit it had at the checkpoint, and
 * locks and half-done merges of a killed git are gone. Works on a worktree whose files were all deleted.
 * Throws `workspace-failed`, `disk-full`.
 */
export async function restoreCheckpoint(git: Git, workspace: CheckpointedWorkspace): Promise<void> {
  const worktree = await requireWorktree(workspace.path);
  const at = inWorktree(worktree);
  await removeStaleLocks(worktree);
  await forgetOperations(worktree);
  const head = await recordedHead(git, worktree, workspace);
  await pointHead(git, worktree, { branch: workspace.branch, commit: head });
  const indexFile = checkpointIndex(worktree);
  await git(['read-tree', '--reset', '-u', workspace.checkpoint], { ...at, indexFile });
  await git(['clean', '-ffdq'], { ...at, indexFile });
  await copyIndex(indexFile, path.join(worktree.gitDir, 'index'));
  await git(['read-tree', '--reset', head], at);
}

/** Makes HEAD a branch at a commit, without touching files or index. */
export async function pointHead(
  git: Git,
  worktree: Worktree,
  target: { readonly branch: string; readonly commit: string },
): Promise<void> {
  const ref = `refs/heads/${target.branch}`;
  const head = await readHead(worktree);
  if (head.branch !== ref) await git(['symbolic-ref', 'HEAD', ref], inWorktree(worktree));
  if (head.branch !== ref || head.commit !== target.commit) {
    await git(['update-ref', ref, target.commit], inWorktree(worktree));
  }
}

const operations = [
  'MERGE_HEAD',
  'MERGE_MODE',
  'MERGE_MSG',
  'MERGE_RR',
  'SQUASH_MSG',
  'AUTO_MERGE',
  'CHERRY_PICK_HEAD',
  'REVERT_HEAD',
  'REBASE_HEAD',
  'BISECT_START',
  'BISECT_LOG',
  'rebase-merge',
  'rebase-apply',
  'sequencer',
];

/** Forgets merges, rebases and the like that were begun in the worktree; its files stay. */
export async function forgetOperations(worktree: Worktree): Promise<void> {
  await Promise.all(operations.map((name) => rm(path.join(worktree.gitDir, name), { recursive: true, force: true })));
}

/** Tells later checkpoints the tree of one, which saves them a question to git. */
async function rememberTree(worktree: Worktree, checkpoint: string, tree: string): Promise<void> {
  await writeFile(path.join(worktree.gitDir, 'codetether-checkpoint'), `${checkpoint} ${tree}\n`);
}

const headTrailer = 'Codetether-Head: ';

const checkpointIdentity = {
  GIT_AUTHOR_NAME: 'codetether',
  GIT_AUTHOR_EMAIL: 'codetether@localhost',
  GIT_COMMITTER_NAME: 'codetether',
  GIT_COMMITTER_EMAIL: 'codetether@localhost',
};

/** The tree of a commit; of the newest checkpoint without asking git. */
export async function treeOf(git: Git, worktree: Worktree, commit: string): Promise<string> {
  const [known, tree] = (await readText(path.join(worktree.gitDir, 'codetether-checkpoint'))).trim().split(' ');
  if (known === commit && tree !== undefined) return tree;
  const answer = await git(['rev-parse', '--verify', `${commit}^{tree}`], inWorktree(worktree));
  return answer.stdout.trim();
}

async function headCommit(git: Git, worktree: Worktree): Promise<string> {
  const { commit } = await readHead(worktree);
  if (commit !== null) return commit;
  const answer = await git(['rev-parse', '--verify', '-q', 'HEAD'], { ...inWorktree(worktree), accept: [1] });
  return answer.stdout.trim();
}

/** Where HEAD was at the checkpoint; the workspace's first checkpoint is no commit of ours and stands for itself. */
async function recordedHead(git: Git, worktree: Worktree, workspace: CheckpointedWorkspace): Promise<string> {
  const { stdout } = await git(['cat-file', 'commit', workspace.checkpoint], inWorktree(worktree));
  const recorded = new RegExp(`^${headTrailer}([0-9a-f]+)$`, 'm').exec(stdout)?.[1];
  return recorded ?? workspace.base;
}
