/** What the pool keeps: it ends with the signal that it was started with. */
export interface Kept {
  readonly isOver: () => boolean;
  /** Resolves when it is, with all that it had started. Never rejects. */
  readonly over: Promise<unknown>;
}

export interface IdlePool<Resource extends Kept> {
  /**
   * Works with the one that the workspace has under this key, started where none runs. While somebody works with it, it is not ended for
   * want of use or room. Rejects as `start` and `work` do.
   */
  readonly use: <Result>(
    place: { readonly workspaceId: string; readonly key: string },
    start: (signal: AbortSignal) => Promise<Resource>,
    work: (resource: Resource) => Promise<Result>,
  ) => Promise<Result>;
  /** The one that runs already. */
  readonly running: (place: { readonly workspaceId: string; readonly key: string }) => Resource | undefined;
  readonly isEmpty: (workspaceId: string) => boolean;
  /** Ends those of a workspace. Resolves when they are over. */
  readonly endAll: (workspaceId: string) => Promise<void>;
}

interface Entry<Resource> {
  readonly workspaceId: string;
  readonly stop: AbortController;
  readonly starting: Promise<Resource>;
  resource: Resource | undefined;
  /** Calls that work with it. */
  busy: number;
  lastUsedMs: number;
}

/**
 * Programs that go on between calls, each of one workspace. The one that was not used for the longest time makes room; one that nobody
 * uses is ended. Nothing of them is durable: what was lost is started again.
 */
export function createIdlePool<Resource extends Kept>(options: {
  readonly most: number;
  readonly idleMs: number;
  readonly startTimeoutMs: number;
}): IdlePool<Resource> {
  const { most, idleMs, startTimeoutMs } = options;
  const entries = new Map<string, Entry<Resource>>();
  const nameOf = (place: { readonly workspaceId: string; readonly key: string }) => `${place.workspaceId} ${place.key}`;

  const end = async (name: string, entry: Entry<Resource>): Promise<void> => {
    if (entries.get(name) === entry) entries.delete(name);
    entry.stop.abort();
    const resource = await entry.starting.catch(() => undefined);
    await resource?.over;
  };
  const reap = (): void => {
    for (const [name, entry] of entries)
      if (entry.busy === 0 && performance.now() - entry.lastUsedMs > idleMs) void end(name, entry);
  };
  setInterval(reap, Math.min(idleMs, 30_000)).unref();

  const makeRoom = async (): Promise<void> => {
    const idle = [...entries].filter(([, { busy }]) => busy === 0);
    const oldest = idle.toSorted(([, a], [, b]) => a.lastUsedMs - b.lastUsedMs);
    for (const [name, entry] of oldest.slice(0, Math.max(0, entries.size - most))) await end(name, entry);
  };
  const begin = (workspaceId: string, start: (signal: AbortSignal) => Promise<Resource>): Entry<Resource> => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), startTimeoutMs);
    const starting = start(stop.signal);
    const entry: Entry<Resource> = {
      workspaceId,
      stop,
      starting,
      resource: undefined,
      busy: 0,
      lastUsedMs: performance.now(),
    };
    starting
      .finally(() => clearTimeout(timer))
      .then(
        (ready) => (entry.resource = ready),
        () => undefined,
      );
    return entry;
  };

  return {
    async use(place, start, work) {
      const name = nameOf(place);
      let entry = entries.get(name);
      if (entry === undefined || entry.resource?.isOver() === true) {
        entry = begin(place.workspaceId, start);
        entries.set(name, entry);
      }
      entry.busy += 1;
      try {
        await makeRoom();
        const resource = await entry.starting.catch(async (error: unknown) => {
          await end(name, entry);
          throw error;
        });
        return await work(resource);
      } finally {
        entry.busy -= 1;
        entry.lastUsedMs = performance.now();
      }
    },
    running: (place) => {
      const resource = entries.get(nameOf(place))?.resource;
      return resource?.isOver() === true ? undefined : resource;
    },
    isEmpty: (workspaceId) => ![...entries.values()].some((entry) => entry.workspaceId === workspaceId),
    async endAll(workspaceId) {
      const own = [...entries].filter(([, entry]) => entry.workspaceId === workspaceId);
      await Promise.all(own.map(([name, entry]) => end(name, entry)));
    },
  };
}
