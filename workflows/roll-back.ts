import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { RollbackRequest } from '../domain/contracts/ralph.ts';
import { activityError } from './failure.ts';
import type { MergeLane } from './merge-lane.ts';
import type { Host } from './policies.ts';
import { record, syncPrdFiles } from './projections.ts';

export interface Rollback extends RollbackRequest {
  readonly runId: string;
  readonly gates: readonly string[];
}

/**
 * Takes passed stories off the run branch, in the merge lane: one revert commit each on its tip, gates on the result, then the
 * branch moves and the stories are open again. Nothing of it happens when a revert conflicts or a gate is red: then
 * `rollback-failed` says why.
 */
export async function rollBack(lane: MergeLane, host: Host, rollback: Rollback): Promise<'rolled-back' | 'failed'> {
  try {
    const problem = await lane.exclusively(() => moveBack(lane, host, rollback));
    if (problem === undefined) return 'rolled-back';
    return await recordFailure(rollback, problem);
  } catch (error) {
    const problem = isCancellation(error) ? 'cancelled' : activityError(error)?.message;
    if (problem === undefined) throw error;
    return await CancellationScope.nonCancellable(() => recordFailure(rollback, problem));
  }
}

/** Undefined when it is done, else why not, for people. */
async function moveBack(lane: MergeLane, host: Host, rollback: Rollback): Promise<string | undefined> {
  const { runId, rollbackId, storyIds, gates } = rollback;
  const what = storyIds.length <= 3 ? storyIds.join(', ') : `${storyIds.length} stories`;
  for (;;) {
    const reverted = await host.workspaces.revertStories.executeWithOptions({ summary: `revert ${what}` }, [
      { runId, storyIds },
    ]);
    if (reverted.kind === 'not-on-branch') return `the commit of ${reverted.storyId} is not on the run branch any more`;
    if (reverted.kind === 'conflict')
      return `what came after ${reverted.storyId} changed the same places: ${reverted.files.slice(0, 5).join(', ')}`;
    const { tip, commit, reverts } = reverted;
    const red = commit === tip ? undefined : await redGate(host, { runId, gates, commit });
    if (red !== undefined) return `without ${what} ${red}`;
    const closed = await lane.advance({
      runId,
      tip,
      commit,
      summary: `advance the branch without ${what}`,
      whileWaiting: async (message) => {
        const key = `rollback:${rollbackId}:waiting:${tip}`;
        await record({ runId, events: [{ key, kind: 'warning', body: { message } }] });
      },
      close: async () => {
        for (const revert of reverts) await recordRevert(runId, revert, commit);
        await syncPrdFiles(host, runId);
        return 'closed' as const;
      },
    });
    if (closed !== undefined) return undefined;
  }
}

async function redGate(
  host: Host,
  { runId, gates, commit }: { readonly runId: string; readonly gates: readonly string[]; readonly commit: string },
): Promise<string | undefined> {
  for (const gate of gates) {
    const result = await host.gates.runGate.executeWithOptions({ summary: `gate ${gate} (rollback)` }, [
      { runId, gate, where: 'merged', commit },
    ]);
    if (result.verdict === 'red') return `gate ${gate} is red: ${result.summary}`;
  }
  return undefined;
}

async function recordRevert(
  runId: string,
  { storyId, commit, reverted }: { readonly storyId: string; readonly commit: string; readonly reverted: string },
  tip: string,
): Promise<void> {
  await record({
    runId,
    events: [
      { key: `rolled-back:${storyId}:${reverted}`, kind: 'story-rolled-back', storyId, body: { commit, reverted } },
    ],
    run: { tip },
    story: { storyId, status: 'open', commit: null, feedback: null },
  });
}

async function recordFailure({ runId, rollbackId, storyIds }: Rollback, message: string): Promise<'failed'> {
  const key = `rollback:${rollbackId}:failed`;
  await record({ runId, events: [{ key, kind: 'rollback-failed', body: { storyIds: [...storyIds], message } }] });
  return 'failed';
}
