import type { AdvanceBranchResult, AttemptRef, MergeStoryResult } from '../../domain/contracts/activities.ts';
import { findCheckout } from './checkouts.ts';
import { checkOut } from './create-worktree.ts';
import { requireRun, type WorkspaceDeps } from './deps.ts';
import { mergeTrees, parentOf, rewriteCommit } from './merge.ts';
import { makeDurable } from './durable.ts';
import { integrationFolder } from './names.ts';
import { followRunBranch } from './follow-run-branch.ts';
import { fetchCommits, moveRemoteBranch, publishMerge } from './remote.ts';
import { branchRef, readRunBranch, resolveCommit } from './run-branch.ts';
import { isSameAttempt } from './trailers.ts';

export async function mergeStory(
  deps: WorkspaceDeps,
  input: AttemptRef & { readonly commit: string },
): Promise<MergeStoryResult> {
  const { git, open, exclusively } = deps.repositories;
  const run = await requireRun(deps.store, input.runId);
  const repository = await open(run.repoPath);
  return exclusively(repository, async (): Promise<MergeStoryResult> => {
    if (run.options.remote !== undefined) {
      await fetchCommits(git, { cwd: repository.top }, { run, commits: [input.commit] });
    }
    const [branch, original] = await Promise.all([
      readRunBranch(git, repository, run),
      git(['cat-file', 'commit', input.commit], { cwd: repository.top }),
    ]);
    const merged = branch.commits.find((commit) => isSameAttempt(commit, input));
    if (merged !== undefined) return { kind: 'already-merged', commit: merged.commit };

    const { tip } = branch;
    let { commit } = input;
    if (parentOf(original.stdout) !== tip) {
      const merge = await mergeTrees(git, repository, { onto: tip, commit });
      if (merge.conflicts.length > 0) return { kind: 'conflict', files: merge.conflicts };
      commit = await rewriteCommit(git, repository, { original: original.stdout, tree: merge.tree, parent: tip });
    }
    await publishMerge(git, { cwd: repository.top }, { run, commit });
    await checkOut(git, repository, { folder: integrationFolder(run), commit });
    return { kind: 'merged', commit, tip };
  });
}

export async function advanceBranch(
  deps: WorkspaceDeps,
  input: { readonly runId: string; readonly tip: string; readonly commit: string },
): Promise<AdvanceBranchResult> {
  const { git, open, exclusively } = deps.repositories;
  const run = await requireRun(deps.store, input.runId);
  const repository = await open(run.repoPath);
  const ref = branchRef(run);
  const { remote } = run.options;
  if (remote !== undefined) {
    return exclusively(repository, async (): Promise<AdvanceBranchResult> => {
      const at = { cwd: repository.top };
      await fetchCommits(git, at, { run, commits: [input.commit] });
      const isMoved = await moveRemoteBranch(git, at, { remote, ref, from: input.tip, to: input.commit });
      if (isMoved) await followRunBranch(deps, { repository, run });
      return { kind: isMoved ? 'advanced' : 'moved' };
    });
  }
  return exclusively(repository, async (): Promise<AdvanceBranchResult> => {
    const [now, checkout] = await Promise.all([
      resolveCommit(git, repository, ref),
      findCheckout(git, repository, ref),
    ]);
    if (now === input.commit) return { kind: 'advanced' };
    if (checkout !== undefined) return { kind: 'checked-out', path: checkout };
    if (now !== input.tip) return { kind: 'moved' };
    await makeDurable(git, repository, { commit: input.commit, known: input.tip });
    try {
      await git(
        ['-c', 'core.fsync=reference', 'update-ref', '-m', 'codetether: story merged', ref, input.commit, input.tip],
        {
          cwd: repository.top,
        },
      );
      return { kind: 'advanced' };
    } catch (error) {
      // Somebody was quicker by less than the time between the look and the move; anything else is a failure.
      const after = await resolveCommit(git, repository, ref);
      if (after === input.commit) return { kind: 'advanced' };
      if (after !== input.tip) return { kind: 'moved' };
      throw error;
    }
  });
}
