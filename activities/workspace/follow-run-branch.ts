import type { RunRecord } from '../../domain/contracts/store.ts';
import { findCheckout } from './checkouts.ts';
import type { Git } from './git.ts';
import { fetchBranch } from './remote.ts';
import type { Repositories, Repository } from './repository.ts';
import { branchRef, resolveCommit } from './run-branch.ts';

/**
 * On a shared run's own host: moves the user's local run branch to where the shared remote has it, where that is a fast-forward and
 * nobody has it checked out. Does nothing on other hosts, and for runs that are not shared. Throws `remote-unavailable`.
 */
export async function followRunBranch(
  { hostId, repositories }: { readonly hostId: string; readonly repositories: Pick<Repositories, 'git'> },
  { repository, run }: { readonly repository: Repository; readonly run: RunRecord },
): Promise<void> {
  const { git } = repositories;
  const { remote } = run.options;
  if (remote === undefined || run.hostId !== hostId) return;
  const at = { cwd: repository.top };
  const ref = branchRef(run);
  const [tip, local, checkout] = [
    await fetchBranch(git, at, { remote, runId: run.runId, ref }),
    await resolveCommit(git, repository, ref),
    await findCheckout(git, repository, ref),
  ];
  if (tip === null || tip === local || checkout !== undefined) return;
  if (local !== null && !(await isAncestor(git, repository, { of: tip, commit: local }))) return;
  // Somebody who has moved it meanwhile is left alone.
  await git(['update-ref', '-m', 'codetether: as in the shared remote', ref, tip, local ?? ''], {
    ...at,
    accept: [1, 128],
  });
}

async function isAncestor(
  git: Git,
  repository: Repository,
  { of, commit }: { readonly of: string; readonly commit: string },
): Promise<boolean> {
  const answer = await git(['merge-base', '--is-ancestor', commit, of], { cwd: repository.top, accept: [1] });
  return answer.exitCode === 0;
}
