import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { CommitStoryInput, CommitStoryResult } from '../../domain/contracts/activities.ts';
import type { RunRecord, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { forgetOperations, pointHead } from './checkpoint.ts';
import { requireRun, requireStory, requireWorkspace, type WorkspaceDeps } from './deps.ts';
import { findConflictMarkers } from './conflict-markers.ts';
import { removeStaleLocks } from './git-locks.ts';
import type { Git } from './git.ts';
import { parentOf } from './merge.ts';
import { publish } from './remote.ts';
import type { Repository } from './repository.ts';
import { stageAll, writeTree } from './snapshot.ts';
import { attemptOf, isSameAttempt, storyMessage } from './trailers.ts';
import { checkpointIndex, copyIndex, inWorktree, readLooseRef, requireWorktree, type Worktree } from './worktree.ts';

export async function commitStory(deps: WorkspaceDeps, input: CommitStoryInput): Promise<CommitStoryResult> {
  const { git, open } = deps.repositories;
  const [run, { story }, workspace] = await Promise.all([
    requireRun(deps.store, input.runId),
    requireStory(deps.store, input),
    requireWorkspace(deps.store, input),
  ]);
  const [repository, worktree] = await Promise.all([open(run.repoPath), requireWorktree(workspace.path)]);
  await removeStaleLocks(worktree);

  const made = await commitMadeBefore(git, { worktree, workspace, input });
  if (made !== undefined) {
    await publish(git, inWorktree(worktree), { workspace, commit: made.commit, as: 'done' });
    return made;
  }

  await stageAll(git, worktree);
  const changes = await changesSince(git, worktree, workspace.base);
  const own = await orchestratorFiles(run, repository);
  const files = changes.filter((change) => !own.includes(change.file));
  if (files.length === 0) return { kind: 'nothing-changed', isAllowed: story.noChangeOk, base: workspace.base };
  if (files.length < changes.length) {
    await putBack(
      git,
      worktree,
      changes.filter((change) => own.includes(change.file)),
    );
  }
  const markers = await findConflictMarkers(git, worktree, workspace.base);
  if (markers !== undefined) return { kind: 'conflict-markers', ...markers };
  const tree = await writeTree(git, worktree);
  const commit = await commitTree(git, {
    repository,
    tree,
    parent: workspace.base,
    message: storyMessage({ ...input, title: story.title }),
  });
  await forgetOperations(worktree);
  await pointHead(git, worktree, { branch: workspace.branch, commit });
  await copyIndex(checkpointIndex(worktree), path.join(worktree.gitDir, 'index'));
  await publish(git, inWorktree(worktree), { workspace, commit, as: 'done' });
  return committed(
    commit,
    files.map((change) => change.file),
  );
}

const namedFiles = 40;
const longestName = 200;

function committed(commit: string, files: readonly string[]): Extract<CommitStoryResult, { kind: 'committed' }> {
  const named = files.filter((file) => file.length <= longestName).slice(0, namedFiles);
  return { kind: 'committed', commit, filesChanged: files.length, files: named };
}

async function commitMadeBefore(
  git: Git,
  found: { readonly worktree: Worktree; readonly workspace: WorkspaceRecord; readonly input: CommitStoryInput },
): Promise<Extract<CommitStoryResult, { kind: 'committed' }> | undefined> {
  const { worktree, workspace, input } = found;
  const at = inWorktree(worktree);
  const ref = `refs/heads/${workspace.branch}`;
  if ((await readLooseRef(worktree.commonDir, ref)) === workspace.base) return undefined;
  const answer = await git(['log', '-1', '--format=%H%nparent %P%n%n%B', ref, '--'], { ...at, accept: [128] });
  const [commit = ''] = answer.stdout.split('\n');
  const original = answer.stdout.slice(commit.length + 1);
  const isOurs = isSameAttempt(attemptOf(original), input) && parentOf(original) === workspace.base;
  if (answer.exitCode !== 0 || !isOurs) return undefined;
  const diff = await git(['diff-tree', '-r', '-z', '--name-only', '--no-renames', workspace.base, commit], at);
  return committed(commit, diff.stdout.split('\0').slice(0, -1));
}

interface Change {
  readonly file: string;
  /** As it is in the base: mode and object, mode `0` for a file that the base has not. */
  readonly mode: string;
  readonly object: string;
}

async function changesSince(git: Git, worktree: Worktree, base: string): Promise<readonly Change[]> {
  const answer = await git(['diff-index', '--cached', '-r', '-z', '--no-renames', base], {
    ...inWorktree(worktree),
    indexFile: checkpointIndex(worktree),
  });
  const fields = answer.stdout.split('\0');
  const changes: Change[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [mode = '', , object = ''] = (fields[index] ?? '').slice(1).split(' ');
    changes.push({ file: fields[index + 1] ?? '', mode: mode === '000000' ? '0' : mode, object });
  }
  return changes;
}

/** The PRD and its progress file, relative to the repository: the orchestrator writes them, no story does. */
async function orchestratorFiles(run: RunRecord, repository: Repository): Promise<readonly string[]> {
  const [top, folder] = await Promise.all([realFolder(repository.top), realFolder(path.dirname(run.prdPath))]);
  const inside = path.relative(top, folder);
  if (inside === '..' || inside.startsWith(`..${path.sep}`) || path.isAbsolute(inside)) return [];
  return [path.basename(run.prdPath), 'progress.txt'].map((name) => path.posix.join(inside, name));
}

async function realFolder(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder);
}

async function putBack(git: Git, worktree: Worktree, changes: readonly Change[]): Promise<void> {
  const input = changes.map(({ mode, object, file }) => `${mode} ${object}\t${file}\0`).join('');
  const indexFile = checkpointIndex(worktree);
  await git(['update-index', '-z', '--index-info'], { ...inWorktree(worktree), indexFile, input });
}

async function commitTree(
  git: Git,
  content: {
    readonly repository: Repository;
    readonly tree: string;
    readonly parent: string;
    readonly message: string;
  },
): Promise<string> {
  const answer = await git(['commit-tree', content.tree, '-p', content.parent], {
    cwd: content.repository.top,
    input: content.message,
    env: content.repository.identity,
  });
  return answer.stdout.trim();
}
