import { CancellationScope } from '@temporalio/workflow';
import type { RalphRollbackInput } from '../domain/contracts/ralph.ts';
import { MergeLane } from './merge-lane.ts';
import { hostFor } from './placed-host.ts';
import { rollBack } from './roll-back.ts';

/** Takes stories off the branch of a run that nobody works on; leaves no worktree behind. */
export async function ralphRollback(input: RalphRollbackInput): Promise<void> {
  const host = hostFor(input);
  await rollBack(new MergeLane(host), host, input);
  await CancellationScope.nonCancellable(() =>
    host.workspaces.closeRepository.executeWithOptions({ summary: 'close the repository' }, [{ runId: input.runId }]),
  );
}
