/** Without a sign of it for so long a host counts as lost, and its leases have expired. */
export const leaseMs = 30_000;

export interface AliveHost {
  readonly hostId: string;
  readonly slots: number;
  /** Stories that it works on. */
  readonly stories: number;
}

/** The host with the smallest share of its slots in use; at a tie the run's own, then the first by id. Undefined without any. */
export function leastUsedHost<Host extends AliveHost>(hosts: readonly Host[], homeId: string): Host | undefined {
  const share = ({ slots, stories }: Host) => stories / Math.max(1, slots);
  const isAway = ({ hostId }: Host) => Number(hostId !== homeId);
  return hosts.toSorted((a, b) => share(a) - share(b) || isAway(a) - isAway(b) || (a.hostId < b.hostId ? -1 : 1))[0];
}
