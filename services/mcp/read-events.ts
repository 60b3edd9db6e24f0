import { RunEventView } from '../../domain/contracts/api.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import type { RunEventsOptions } from '../client/client.ts';

/**
 * Events after `afterSeq` that are in the log already, `limit` at most; never waits for one that is to come.
 * @param headSeq seq of the newest event when it was asked for
 */
export async function readEvents(
  events: (options: RunEventsOptions) => AsyncIterable<RunEvent>,
  { afterSeq, limit, headSeq }: { readonly afterSeq: number; readonly limit: number; readonly headSeq: number },
): Promise<{ readonly events: RunEventView[]; readonly next: number; readonly headSeq: number }> {
  const read: RunEventView[] = [];
  if (headSeq > afterSeq) {
    for await (const event of events({ sinceSeq: afterSeq })) {
      read.push(RunEventView.parse(event));
      if (read.length === limit || event.seq >= headSeq) break;
    }
  }
  return { events: read, next: read.at(-1)?.seq ?? afterSeq, headSeq };
}
