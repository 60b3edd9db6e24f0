import type { GateInput } from '../../domain/contracts/activities.ts';
import type { RunRecord, WorkspaceStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { treeOf } from '../workspace/checkpoint.ts';
import { checkOut } from '../workspace/create-worktree.ts';
import { requireWorkspace } from '../workspace/deps.ts';
import { integrationFolder } from '../workspace/names.ts';
import { fetchCommits } from '../workspace/remote.ts';
import type { Repositories } from '../workspace/repository.ts';
import { snapshotTree } from '../workspace/snapshot.ts';
import { requireWorktree, type Worktree } from '../workspace/worktree.ts';

/** Where a check runs. */
export interface Place {
  readonly folder: string;
  /** The tree that is checked. */
  readonly tree: string;
  /** The commit that has it; null for a story's files, which are in none yet. */
  readonly commit: string | null;
  readonly worktree: Worktree;
}

/**
 * The worktree that a check is about: the story's as it is, or the merge lane's with the merged commit or (baseline) the run's
 * base checked out. Throws `workspace-failed` when there is none.
 */
export async function findPlace(
  deps: { readonly store: Pick<WorkspaceStore, 'getWorkspace'>; readonly repositories: Repositories },
  run: RunRecord,
  check: Pick<GateInput, 'where' | 'storyId' | 'commit'>,
): Promise<Place> {
  const { repositories } = deps;
  const repository = await repositories.open(run.repoPath);
  switch (check.where) {
    case 'workspace': {
      const workspace = await requireWorkspace(deps.store, { runId: run.runId, storyId: check.storyId ?? '' });
      const worktree = await requireWorktree(workspace.path);
      return { folder: workspace.path, tree: await snapshotTree(repositories.git, worktree), commit: null, worktree };
    }
    case 'merged':
    case 'baseline': {
      const commit = check.where === 'merged' ? check.commit : run.base;
      if (commit === undefined || commit === null)
        throw new CodetetherError('workspace-failed', `Run ${run.runId} has no ${check.where} tree yet.`);
      // The merge may have been made by another host.
      if (run.options.remote !== undefined) {
        await fetchCommits(repositories.git, { cwd: repository.top }, { run, commits: [commit] });
      }
      const folder = integrationFolder(run);
      const worktree = await repositories.exclusively(repository, () =>
        checkOut(repositories.git, repository, { folder, commit }),
      );
      return { folder, tree: await treeOf(repositories.git, worktree, commit), commit, worktree };
    }
  }
}
