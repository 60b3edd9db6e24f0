import path from 'node:path';
import type { AttemptRef, PrepareWorkspaceResult } from '../../domain/contracts/activities.ts';
import type { WorkspaceStart } from '../../domain/contracts/ralph.ts';
import type { RunRecord, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { createCheckpoint, forgetOperations, pointHead } from './checkpoint.ts';
import { createWorktree, isBranchInUse, linkDependencies } from './create-worktree.ts';
import { requireRun, type WorkspaceDeps } from './deps.ts';
import { removeStaleLocks } from './git-locks.ts';
import { mergeTrees } from './merge.ts';
import { storyNames } from './names.ts';
import { fetchCommits, publish } from './remote.ts';
import type { Repository } from './repository.ts';
import { requireTip, resolveCommit } from './run-branch.ts';
import { checkpointIndex, copyIndex, findWorktree, inWorktree, readHead, type Worktree } from './worktree.ts';

type PrepareInput = AttemptRef & { readonly start: WorkspaceStart };

export async function prepareWorkspace(deps: WorkspaceDeps, input: PrepareInput): Promise<PrepareWorkspaceResult> {
  const { store, repositories } = deps;
  const id = workspaceId(input.runId, input.storyId);
  const [run, known] = await Promise.all([requireRun(store, input.runId), store.getWorkspace(id)]);
  // What another host has is not here; what it had is taken over before.
  const row = known?.hostId === deps.hostId ? known : undefined;
  const worktree = row === undefined ? undefined : await findWorktree(row.path);
  if (row !== undefined && worktree !== undefined && row.attempt === input.attempt) return answer(row);

  const repository = await repositories.open(run.repoPath);
  const prepared =
    input.start.kind === 'keep' && row !== undefined && worktree !== undefined
      ? await keep(deps, { repository, run, row, worktree, attempt: input.attempt })
      : await makeAnew(deps, { repository, run, row, input });
  await store.putWorkspace(prepared);
  return answer(prepared);
}

function answer(workspace: WorkspaceRecord): PrepareWorkspaceResult {
  return { path: workspace.path, base: workspace.base };
}

async function keep(
  deps: WorkspaceDeps,
  found: {
    readonly repository: Repository;
    readonly run: RunRecord;
    readonly row: WorkspaceRecord;
    readonly worktree: Worktree;
    readonly attempt: number;
  },
): Promise<WorkspaceRecord> {
  const { git } = deps.repositories;
  const { repository, run, worktree } = found;
  const row = { ...found.row, ...sharing(deps, run) };
  await removeStaleLocks(worktree);
  await forgetOperations(worktree);
  const head = await readHead(worktree);
  if (head.branch !== `refs/heads/${row.branch}`) {
    const commit = head.commit ?? (await resolveCommit(git, repository, `refs/heads/${row.branch}`)) ?? row.base;
    await pointHead(git, worktree, { branch: row.branch, commit });
  }
  await linkDependencies(git, repository, worktree);
  const checkpoint = await createCheckpoint(git, row);
  // The refs of the last execution are gone from the shared remote.
  if (checkpoint === row.checkpoint) {
    await publish(git, inWorktree(worktree), { workspace: row, commit: checkpoint, as: 'checkpoint' });
  }
  return { ...row, checkpoint, attempt: found.attempt };
}

/** Under which lease the workspace is, and where its checkpoints go besides. */
export function sharing(
  deps: Pick<WorkspaceDeps, 'heldLease'>,
  run: RunRecord,
): Pick<WorkspaceRecord, 'lease' | 'remote'> {
  const { remote } = run.options;
  const lease = deps.heldLease?.();
  return remote === undefined || lease === undefined ? { lease: 0, remote: null } : { lease: lease.number, remote };
}

async function makeAnew(
  deps: WorkspaceDeps,
  found: {
    readonly repository: Repository;
    readonly run: RunRecord;
    readonly row: WorkspaceRecord | undefined;
    readonly input: PrepareInput;
  },
): Promise<WorkspaceRecord> {
  const { git, exclusively } = deps.repositories;
  const { repository, run, row, input } = found;
  const names = row === undefined ? await newNames(deps, run, input.storyId) : { folder: row.path, branch: row.branch };
  const tip = await requireTip(git, repository, run);
  const merge =
    input.start.kind === 'merged' || input.start.kind === 'conflict'
      ? await mergeTrees(git, repository, {
          onto: tip,
          commit: await requireCommit(deps, { repository, run, commit: input.start.commit }),
        })
      : undefined;
  const { worktree, branch } = await exclusively(repository, () =>
    addWorktree(deps, { repository, names, tip, input }),
  );
  const indexFile = checkpointIndex(worktree);
  await copyIndex(path.join(worktree.gitDir, 'index'), indexFile);
  const workspace: WorkspaceRecord = {
    workspaceId: workspaceId(input.runId, input.storyId),
    runId: input.runId,
    storyId: input.storyId,
    hostId: deps.hostId,
    path: names.folder,
    branch,
    base: tip,
    checkpoint: tip,
    attempt: input.attempt,
    ...sharing(deps, run),
  };
  await publish(git, inWorktree(worktree), { workspace, commit: tip, as: 'checkpoint' });
  if (merge === undefined) return workspace;
  await git(['read-tree', '--reset', '-u', merge.tree], { ...inWorktree(worktree), indexFile });
  return { ...workspace, checkpoint: await createCheckpoint(git, workspace) };
}

async function newNames(
  deps: WorkspaceDeps,
  run: RunRecord,
  storyId: string,
): Promise<{ readonly folder: string; readonly branch: string }> {
  // Ids in capitals only, the usual ones, need no look at the others: it is the others that give way.
  const others = storyId === storyId.toUpperCase() ? [] : await deps.store.getStories(run.runId);
  return storyNames(
    run,
    storyId,
    others.map((record) => record.story.id),
  );
}

/** When the story's branch is checked out elsewhere (somebody looks at it) the attempt gets a branch of its own. */
async function addWorktree(
  deps: WorkspaceDeps,
  wanted: {
    readonly repository: Repository;
    readonly names: { readonly folder: string; readonly branch: string };
    readonly tip: string;
    readonly input: PrepareInput;
  },
): Promise<{ readonly worktree: Worktree; readonly branch: string }> {
  const { git } = deps.repositories;
  const { repository, names, tip, input } = wanted;
  const add = async (branch: string): Promise<{ readonly worktree: Worktree; readonly branch: string }> => ({
    worktree: await createWorktree(git, repository, { folder: names.folder, commit: tip, branch }),
    branch,
  });
  try {
    return await add(names.branch);
  } catch (error) {
    if (!isBranchInUse(error)) throw error;
    return add(`${names.branch}-attempt-${input.attempt}`);
  }
}

async function requireCommit(
  { repositories }: WorkspaceDeps,
  { repository, run, commit }: { readonly repository: Repository; readonly run: RunRecord; readonly commit: string },
): Promise<string> {
  const isHere = await fetchCommits(repositories.git, { cwd: repository.top }, { run, commits: [commit] });
  if (isHere) return commit;
  throw new CodetetherError('workspace-failed', `The story's commit ${commit} does not exist any more.`);
}
