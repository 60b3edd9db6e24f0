import type { RevertStoriesInput, RevertStoriesResult } from '../../domain/contracts/activities.ts';
import type { RunRecord } from '../../domain/contracts/store.ts';
import { checkOut } from './create-worktree.ts';
import { requireRun, requireStory, type WorkspaceDeps } from './deps.ts';
import type { Git } from './git.ts';
import { mergeTrees } from './merge.ts';
import { integrationFolder } from './names.ts';
import { publishMerge } from './remote.ts';
import type { Repository } from './repository.ts';
import { requireTip } from './run-branch.ts';
import { revertMessage, revertedBy } from './trailers.ts';

interface BranchCommit {
  readonly commit: string;
  readonly parent: string;
  /** The commit that this one takes off the branch. */
  readonly reverts: string | undefined;
}

/** One revert commit for each story, newest first, on the run branch's tip; in memory, as merges are. */
export async function revertStories(deps: WorkspaceDeps, input: RevertStoriesInput): Promise<RevertStoriesResult> {
  const { git, open, exclusively } = deps.repositories;
  const [run, rows] = await Promise.all([
    requireRun(deps.store, input.runId),
    Promise.all(input.storyIds.map((storyId) => requireStory(deps.store, { runId: input.runId, storyId }))),
  ]);
  const repository = await open(run.repoPath);
  return exclusively(repository, async (): Promise<RevertStoriesResult> => {
    const branch = await readBranch(git, repository, run);
    const taken = new Map(branch.commits.map(({ reverts, commit }) => [reverts, commit]));
    const places = new Map(branch.commits.map(({ commit }, place) => [commit, place]));
    const done: { storyId: string; commit: string; reverted: string }[] = [];
    const wanted: { storyId: string; title: string; original: BranchCommit; place: number }[] = [];
    for (const { story, commit } of rows) {
      // A story without a commit of its own was put back by an earlier try of this.
      if (commit === null) continue;
      const by = taken.get(commit);
      const place = places.get(commit) ?? -1;
      const original = branch.commits[place];
      if (by !== undefined) done.push({ storyId: story.id, commit: by, reverted: commit });
      else if (original === undefined) return { kind: 'not-on-branch', storyId: story.id };
      else wanted.push({ storyId: story.id, title: story.title, original, place });
    }
    let onto = branch.tip;
    for (const { storyId, title, original } of wanted.toSorted((a, b) => a.place - b.place)) {
      const tree = await withoutChange(git, repository, { onto, original });
      if (tree.conflicts.length > 0) return { kind: 'conflict', storyId, files: tree.conflicts.slice(0, 20) };
      const answer = await git(['commit-tree', tree.tree, '-p', onto], {
        cwd: repository.top,
        input: revertMessage({ runId: run.runId, storyId, title, reverts: original.commit }),
        env: repository.identity,
      });
      onto = answer.stdout.trim();
      done.push({ storyId, commit: onto, reverted: original.commit });
    }
    if (onto !== branch.tip) await publishMerge(git, { cwd: repository.top }, { run, commit: onto });
    if (onto !== branch.tip) await checkOut(git, repository, { folder: integrationFolder(run), commit: onto });
    return { kind: 'reverted', tip: branch.tip, commit: onto, reverts: done };
  });
}

/** First-parent commits from the tip down to the run's base, newest first. */
async function readBranch(
  git: Git,
  repository: Repository,
  run: RunRecord,
): Promise<{ readonly tip: string; readonly commits: readonly BranchCommit[] }> {
  const tip = await requireTip(git, repository, run);
  const range = run.base === null ? [tip] : [tip, `^${run.base}`];
  const log = await git(['log', '-z', '--first-parent', '--format=%H %P%n%B', ...range, '--'], {
    cwd: repository.top,
  });
  const commits = log.stdout.split('\0').flatMap((entry) => {
    const end = entry.indexOf('\n');
    const [commit, parent] = entry.slice(0, end).split(' ');
    if (commit === undefined || parent === undefined) return [];
    return [{ commit, parent, reverts: revertedBy(entry.slice(end + 1), run.runId) }];
  });
  return { tip, commits };
}

/**
 * What `onto` is without what `original` did: merged with a commit after `original` that has the tree from before it, so
 * that `original` is the merge's base.
 */
async function withoutChange(
  git: Git,
  repository: Repository,
  change: { readonly onto: string; readonly original: BranchCommit },
): Promise<{ readonly tree: string; readonly conflicts: readonly string[] }> {
  const { onto, original } = change;
  const answer = await git(['commit-tree', `${original.parent}^{tree}`, '-p', original.commit], {
    cwd: repository.top,
    input: 'without a story\n',
    env: repository.identity,
  });
  return mergeTrees(git, repository, { onto, commit: answer.stdout.trim() });
}
