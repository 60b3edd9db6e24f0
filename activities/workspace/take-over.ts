import path from 'node:path';
import type { AttemptRef, TakeOverResult } from '../../domain/contracts/activities.ts';
import type { WorkspaceRecord } from '../../domain/contracts/store.ts';
import { attemptId, workspaceId } from '../../domain/run/ids.ts';
import { restoreCheckpoint } from './checkpoint.ts';
import { createWorktree } from './create-worktree.ts';
import { requireRun, type WorkspaceDeps } from './deps.ts';
import { storyNames } from './names.ts';
import { sharing } from './prepare-workspace.ts';
import { fetchCommits, publish } from './remote.ts';
import { checkpointIndex, copyIndex, findWorktree } from './worktree.ts';

export async function takeOverWorkspace(deps: WorkspaceDeps, input: AttemptRef): Promise<TakeOverResult> {
  const { store, repositories } = deps;
  const { git, open, exclusively } = repositories;
  const id = workspaceId(input.runId, input.storyId);
  const [run, row] = await Promise.all([requireRun(store, input.runId), store.getWorkspace(id)]);
  if (row === undefined) return { kind: 'nothing' };
  const shared = sharing(deps, run);
  const worktree = row.hostId === deps.hostId ? await findWorktree(row.path) : undefined;
  if (worktree !== undefined && row.lease === shared.lease) return { kind: 'taken-over', path: row.path };

  const repository = await open(run.repoPath);
  if (!(await fetchCommits(git, { cwd: repository.top }, { run, commits: [row.base, row.checkpoint] }))) {
    await store.deleteWorkspace(id);
    return { kind: 'nothing' };
  }
  const stories = (await store.getStories(run.runId)).map((record) => record.story.id);
  const names = storyNames(run, input.storyId, stories);
  const { folder, branch } = worktree === undefined ? names : { folder: row.path, branch: row.branch };
  const taken: WorkspaceRecord = { ...row, ...shared, hostId: deps.hostId, path: folder, branch };
  if (worktree === undefined) {
    await exclusively(repository, async () => {
      const made = await createWorktree(git, repository, { folder, commit: row.base, branch });
      await copyIndex(path.join(made.gitDir, 'index'), checkpointIndex(made));
    });
    await restoreCheckpoint(git, taken);
  }
  await publish(git, { cwd: repository.top }, { workspace: taken, commit: row.checkpoint, as: 'checkpoint' });
  await store.putWorkspace(taken);
  await tellAgent(deps, input, taken);
  return { kind: 'taken-over', path: folder };
}

/** An agent that has begun has the old place in its transcript. */
async function tellAgent({ store }: WorkspaceDeps, input: AttemptRef, taken: WorkspaceRecord): Promise<void> {
  const sessionId = attemptId(input.runId, input.storyId, input.attempt);
  if (!(await store.hasSessionEvent(sessionId, `${sessionId}:story`))) return;
  const text =
    `The machine that you worked on was lost. You go on at another one: your workspace is now ${taken.path}, with the files as they ` +
    'were after your last tool call that has a result. Processes that you had started are gone, and so is what was installed ' +
    'or written outside the workspace, or is ignored by git. What a command that was cut off has done elsewhere is unknown.';
  await store.appendSessionEvents(sessionId, [
    { key: `${sessionId}:lease:${taken.lease}`, kind: 'user', body: { text } },
  ]);
}
