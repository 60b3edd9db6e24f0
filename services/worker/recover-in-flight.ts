import type { Client } from '@temporalio/client';
import { workerLost } from './activity-interceptor.ts';
import type { InFlightActivity } from './in-flight-journal.ts';

/**
 * Fails the activities that this host's last worker was running when it died, so that their workflows go on at once,
 * and takes those workflows off the dead worker's sticky queue. An activity that is unknown by now is passed over.
 */
export async function recoverInFlight(
  client: Client,
  namespace: string,
  leftovers: readonly InFlightActivity[],
): Promise<void> {
  const lost = workerLost();
  await Promise.all(
    leftovers.map(async ({ taskToken, workflowId, executionId }) => {
      await client.connection.workflowService
        .resetStickyTaskQueue({ namespace, execution: { workflowId, runId: executionId } })
        .catch(ignoreGone);
      await client.activity.fail(taskToken, lost).catch(ignoreGone);
    }),
  );
}

/** The workflow or the activity may have ended or timed out meanwhile; an unreachable engine falls back to the time-outs. */
function ignoreGone(): void {}
