import type { CleanUpResult } from '../domain/contracts/activities.ts';
import type { CleanUpInput } from '../domain/contracts/ralph.ts';
import { onHost } from './policies.ts';

/** What runs that are over have left on a host; removed if told to. */
export async function cleanUp({ hostId, ...input }: CleanUpInput): Promise<CleanUpResult> {
  const what = input.what === undefined ? 'what is left over' : `${input.what} that are left over`;
  const summary = input.apply ? `remove ${what}` : `look for ${what}`;
  return await onHost(hostId).housekeeping.cleanUp.executeWithOptions({ summary }, [input]);
}
