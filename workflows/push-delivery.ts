import { condition, continueAsNew, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';
import { pushSignals } from '../domain/contracts/a2a.ts';
import type { PushDeliveryInput } from '../domain/contracts/a2a.ts';
import { pushes } from './policies.ts';

/**
 * Tells one receiver of what happens to a task, in order. How far it has come is in the store; this sends what is next for as long
 * as there is something, and is started again when more happens.
 */
export async function pushDelivery(input: PushDeliveryInput): Promise<void> {
  let isHeard = false;
  setHandler(defineSignal(pushSignals.look), () => {
    isHeard = true;
  });
  for (;;) {
    isHeard = false;
    const { waitMs } = await pushes.deliverNext(input);
    if (waitMs === null && !isHeard) return;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof pushDelivery>(input);
    if (waitMs !== null && waitMs > 0) await condition(() => isHeard, waitMs);
  }
}
