import type { RunStore } from '../../domain/contracts/store.ts';
import { removeLeaseRef } from '../workspace/remote.ts';
import type { Repositories } from '../workspace/repository.ts';
import type { LostWork } from './lease-holder.ts';

/**
 * Takes away what a host that came late has put into the shared remote under a lease that it had lost: nobody reads it. Never throws; what
 * cannot be removed now hurts nobody. Files on the host itself are its sweeper's.
 */
export async function leaveBehind(
  deps: { readonly store: Pick<RunStore, 'getRun'>; readonly repositories: Pick<Repositories, 'git'> },
  { lease, runId, storyId }: LostWork,
): Promise<void> {
  try {
    const run = await deps.store.getRun(runId);
    const remote = run?.options.remote;
    if (run === undefined || remote === undefined || storyId === undefined) return;
    const workspace = { runId, storyId, lease: lease.number, remote };
    await removeLeaseRef(deps.repositories.git, { cwd: run.repoPath }, workspace);
  } catch {
    // The remote is away, or the ref was never there.
  }
}

/** Says in the run's events that the shared remote is waited for, once an hour at most. Never throws. */
export async function tellRemoteAway(
  store: Pick<RunStore, 'appendRunEvents'>,
  { runId, message, now }: { readonly runId: string; readonly message: string; readonly now: Date },
): Promise<void> {
  const key = `${runId}:remote-away:${now.toISOString().slice(0, 13)}`;
  const body = { message: `the shared remote is waited for: ${message}` };
  // The database may be away too.
  await store.appendRunEvents(runId, [{ key, kind: 'warning', body }]).catch(() => undefined);
}
