import type { CleanUpResult } from '../domain/contracts/activities.ts';
import type { CleanUpInput } from '../domain/contracts/ralph.ts';
import { onHost } from './policies.ts';

/** What runs that are over have left on a host; removed if told to. */
export async function cleanUp({ hostId, apply }: CleanUpInput): Promise<CleanUpResult> {
  const summary = apply ? 'remove what is left over' : 'look for what is left over';
  return await onHost(hostId).housekeeping.cleanUp.executeWithOptions({ summary }, [{ apply }]);
}
