import type { OpenRepositoryResult, WorkspaceActivities } from '../../domain/contracts/activities.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { RunRecord } from '../../domain/contracts/store.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { findCheckout } from './checkouts.ts';
import { commitStory } from './commit-story.ts';
import { removeEmptyFolders, removeWorktree } from './create-worktree.ts';
import { requireRun, type WorkspaceDeps } from './deps.ts';
import { excludeFromStatus } from './exclude.ts';
import type { Git } from './git.ts';
import { advanceBranch, mergeStory } from './merge-lane.ts';
import { checkpointRef, integrationFolder, runFolder, worktreesFolder } from './names.ts';
import { prepareWorkspace } from './prepare-workspace.ts';
import { revertStories } from './revert-stories.ts';
import { followRunBranch } from './follow-run-branch.ts';
import { moveRemoteBranch, removeFetchedRefs, removeRemoteRefs } from './remote.ts';
import type { Repository } from './repository.ts';
import { branchRef, readRunBranch, resolveCommit, runBranchTip } from './run-branch.ts';
import { takeOverWorkspace } from './take-over.ts';

/**
 * Git work on the host that holds the repository. The user's checkout and index are never touched; besides worktrees
 * and branches of its own only the run branch moves, and only by compare-and-swap.
 */
export function createWorkspaceActivities(deps: WorkspaceDeps) {
  return {
    openRepository: (input) => openRepository(deps, input.runId),
    prepareWorkspace: (input) => prepareWorkspace(deps, input),
    takeOverWorkspace: (input) => takeOverWorkspace(deps, input),
    commitStory: (input) => commitStory(deps, input),
    mergeStory: (input) => mergeStory(deps, input),
    revertStories: (input) => revertStories(deps, input),
    advanceBranch: (input) => advanceBranch(deps, input),
    removeWorkspace: (input) => removeWorkspace(deps, input),
    closeRepository: (input) => closeRepository(deps, input.runId),
  } satisfies WorkspaceActivities;
}

async function openRepository(deps: WorkspaceDeps, runId: string): Promise<OpenRepositoryResult> {
  const { git, open, exclusively } = deps.repositories;
  const run = await requireRun(deps.store, runId);
  const repository = await open(run.repoPath);
  return exclusively(repository, async () => {
    await excludeFromStatus(repository.commonDir, [`/${worktreesFolder}/`]);
    const ref = branchRef(run);
    const { remote } = run.options;
    if (remote !== undefined) return await openShared(deps, { repository, run, remote });
    const [tip, known] = await Promise.all([
      resolveCommit(git, repository, ref),
      run.base === null ? null : resolveCommit(git, repository, run.base),
    ]);
    if (tip !== null) return { base: known ?? tip, tip };
    const base = known ?? (await resolveCommit(git, repository, 'HEAD'));
    if (base === null) throw new CodetetherError('repository-empty');
    await requireBranchName(git, run);
    await git(['update-ref', '-m', 'codetether: run branch', ref, base, ''], { cwd: repository.top });
    return { base, tip: base };
  });
}

/** The shared remote's branch counts; where it has none it gets the local one, or one from where the checkout is. */
async function openShared(
  deps: WorkspaceDeps,
  { repository, run, remote }: { readonly repository: Repository; readonly run: RunRecord; readonly remote: string },
): Promise<OpenRepositoryResult> {
  const { git } = deps.repositories;
  const at = { cwd: repository.top };
  const ref = branchRef(run);
  const known = run.base === null ? null : await resolveCommit(git, repository, run.base);
  for (;;) {
    const tip = await runBranchTip(git, repository, run);
    if (tip !== null) {
      await followRunBranch(deps, { repository, run });
      return { base: known ?? tip, tip };
    }
    if (run.hostId !== deps.hostId) {
      throw new CodetetherError('workspace-failed', `The host ${run.hostId} was lost before the run had begun.`, {
        next: 'Start the run again from the repository.',
      });
    }
    const from = (await resolveCommit(git, repository, ref)) ?? known ?? (await resolveCommit(git, repository, 'HEAD'));
    if (from === null) throw new CodetetherError('repository-empty');
    await requireBranchName(git, run);
    // When somebody else was quicker, theirs counts.
    if (await moveRemoteBranch(git, at, { remote, ref, from: null, to: from })) {
      await followRunBranch(deps, { repository, run });
      return { base: known ?? from, tip: from };
    }
  }
}

async function requireBranchName(git: Git, run: RunRecord): Promise<void> {
  const answer = await git(['check-ref-format', branchRef(run)], { cwd: run.repoPath, accept: [1] });
  if (answer.exitCode === 0) return;
  throw new CodetetherError('prd-invalid', `Git allows no branch with the name ${JSON.stringify(run.branch)}.`, {
    next: 'Change the branch name in the PRD, or name a branch with --branch.',
  });
}

async function removeWorkspace(
  deps: WorkspaceDeps,
  ref: { readonly runId: string; readonly storyId: string },
): Promise<void> {
  const { git, open, exclusively } = deps.repositories;
  const id = workspaceId(ref.runId, ref.storyId);
  const [run, row] = await Promise.all([requireRun(deps.store, ref.runId), deps.store.getWorkspace(id)]);
  const { remote } = run.options;
  const repository = await open(run.repoPath);
  const at = { cwd: repository.top };
  if (remote !== undefined) await removeRemoteRefs(git, at, { ...ref, remote });
  if (row === undefined) return;
  // What a lost host has kept goes with it, or by its own sweeper.
  if (row.hostId !== deps.hostId) return await deps.store.deleteWorkspace(id);
  await exclusively(repository, async () => {
    await removeWorktree(repository, row.path);
    const branch = `refs/heads/${row.branch}`;
    // Somebody looks at the branch: it stays for them.
    const isUsed = (await findCheckout(git, repository, branch)) !== undefined;
    const refs = isUsed ? [checkpointRef(ref)] : [branch, checkpointRef(ref)];
    await git(['update-ref', '--stdin'], {
      cwd: repository.top,
      input: refs.map((name) => `delete ${name}\n`).join(''),
    });
    await removeEmptyFolders(runFolder(run), run.repoPath);
    if (remote !== undefined) await removeFetchedRefs(git, at, run.runId);
  });
  await deps.store.deleteWorkspace(id);
}

async function closeRepository(
  deps: WorkspaceDeps,
  runId: string,
): Promise<{ readonly tip: string | null; readonly commits: number }> {
  const { git, open, exclusively } = deps.repositories;
  const run = await requireRun(deps.store, runId);
  const repository = await open(run.repoPath);
  return exclusively(repository, async () => {
    await removeWorktree(repository, integrationFolder(run));
    await removeEmptyFolders(runFolder(run), run.repoPath);
    const at = { cwd: repository.top };
    const { remote } = run.options;
    if (remote !== undefined) {
      await removeRemoteRefs(git, at, { remote, runId });
      await followRunBranch(deps, { repository, run });
    }
    const tip = await runBranchTip(git, repository, run);
    if (tip === null) return { tip, commits: 0 };
    const { commits } = await readRunBranch(git, repository, run);
    if (remote !== undefined) await removeFetchedRefs(git, at, runId);
    return { tip, commits: commits.filter((commit) => commit.runId === runId).length };
  });
}
