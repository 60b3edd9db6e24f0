import type { AttemptRef } from '../../domain/contracts/activities.ts';
import type { RunRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { Git } from './git.ts';
import { fetchBranch } from './remote.ts';
import type { Repository } from './repository.ts';
import { attemptOf } from './trailers.ts';
import { readLooseRef } from './worktree.ts';

export function branchRef(run: Pick<RunRecord, 'branch'>): string {
  return `refs/heads/${run.branch}`;
}

/** The commit that a name stands for, null when there is none. */
export async function resolveCommit(git: Git, repository: Repository, name: string): Promise<string | null> {
  if (name.startsWith('refs/heads/')) {
    const loose = await readLooseRef(repository.commonDir, name);
    if (loose !== null) return loose;
  }
  const answer = await git(['rev-parse', '--verify', '-q', `${name}^{commit}`], { cwd: repository.top, accept: [1] });
  return answer.exitCode === 0 ? answer.stdout.trim() : null;
}

type BranchRun = Pick<RunRecord, 'runId' | 'branch' | 'tip' | 'base' | 'options'>;

/** Where the run branch is; that of a shared run is the one of the shared remote. Null when there is none. */
export async function runBranchTip(git: Git, repository: Repository, run: BranchRun): Promise<string | null> {
  const { remote } = run.options;
  if (remote === undefined) return await resolveCommit(git, repository, branchRef(run));
  return await fetchBranch(git, { cwd: repository.top }, { remote, runId: run.runId, ref: branchRef(run) });
}

/** Throws `workspace-failed` when the run branch is gone. */
export async function requireTip(git: Git, repository: Repository, run: BranchRun): Promise<string> {
  const tip = await runBranchTip(git, repository, run);
  if (tip !== null) return tip;
  const last = run.tip ?? run.base;
  throw new CodetetherError('workspace-failed', `The run branch ${run.branch} does not exist any more.`, {
    next: last === null ? 'Start the run again.' : `Put it back: git branch ${run.branch} ${last}`,
  });
}

export interface StoryCommit extends AttemptRef {
  readonly commit: string;
}

/** The run branch's tip and the commits of stories (of any run) between the run's base and it, newest first. */
export async function readRunBranch(
  git: Git,
  repository: Repository,
  run: BranchRun,
): Promise<{ readonly tip: string; readonly commits: readonly StoryCommit[] }> {
  const tip = await requireTip(git, repository, run);
  if (tip === run.base) return { tip, commits: [] };
  const range = run.base === null ? [tip] : [tip, `^${run.base}`];
  const log = await git(['log', '-z', '--format=%H%n%B', ...range, '--'], { cwd: repository.top });
  const commits = log.stdout.split('\0').flatMap((entry) => {
    const end = entry.indexOf('\n');
    const attempt = attemptOf(entry.slice(end + 1));
    return attempt === undefined ? [] : [{ ...attempt, commit: entry.slice(0, end) }];
  });
  return { tip, commits };
}
