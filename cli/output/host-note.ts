import type { HostListView, RunView } from '../../domain/contracts/api.ts';
import { formatDay } from './format.ts';

/** What a run that goes on waits for when no host is there that could do it; undefined when one is. */
export function hostNote(
  run: Pick<RunView, 'hostId' | 'remote'>,
  hosts: HostListView['hosts'],
  now: Date,
): string | undefined {
  const fit = run.remote === null ? hosts.filter(({ hostId }) => hostId === run.hostId) : hosts;
  if (fit.length === 0 || fit.some(({ alive }) => alive)) return undefined;
  const last = formatDay(
    fit
      .map(({ seenAt }) => seenAt)
      .toSorted()
      .at(-1) ?? '',
    now,
  );
  const whom = run.remote === null ? `its host ${run.hostId}` : 'a host; all are lost';
  return `waits for ${whom} (last seen ${last}): codetether up there, or codetether worker`;
}
