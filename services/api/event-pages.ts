import { setTimeout as delay } from 'node:timers/promises';
import type { RunEvent } from '../../domain/run/events.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ApiDeps } from './deps.ts';

export interface EventPagesOptions {
  readonly runId: string;
  readonly afterSeq: number;
  /** After this long without an event an empty page is given. */
  readonly pingMs: number;
  /** True when nothing comes any more after the event `seen`. */
  readonly isOver: (seen: number) => Promise<boolean>;
  /** Ends the pages; they hold nothing afterwards. */
  readonly signal: AbortSignal;
}

const pageSize = 200;
const retryDelayMs = 500;

/**
 * A run's events after `afterSeq`, in order and without gaps: what is in the log, then what comes, until it
 * is over. Reads the next page when the last one was taken. A database that goes away and
 * comes back is waited for.
 */
export async function* runEventPages(
  deps: Pick<ApiDeps, 'store'>,
  options: EventPagesOptions,
): AsyncGenerator<readonly RunEvent[], void, undefined> {
  const { runId, signal } = options;
  const bell = createBell(signal);
  const leave = await deps.store.watchRunEvents((appended) => {
    if (appended === null || appended === runId) bell.ring();
  });
  try {
    let seen = options.afterSeq;
    let mayBeOver = true;
    while (!signal.aborted) {
      bell.silence();
      const page = await whenReachable(signal, async () => {
        return await deps.store.readRunEvents(runId, { afterSeq: seen, limit: pageSize });
      });
      const last = page?.at(-1);
      if (page !== undefined && last !== undefined) {
        seen = last.seq;
        mayBeOver ||= last.kind === 'run-ended' || last.kind === 'turn-ended';
        yield page;
        if (page.length === pageSize) continue;
      }
      if (mayBeOver && (await whenReachable(signal, async () => await options.isOver(seen)))) return;
      // A quiet run is looked at now and then: the engine may have ended it without a word.
      mayBeOver = !(await bell.heard(options.pingMs));
      if (mayBeOver && !signal.aborted) yield [];
    }
  } finally {
    await leave();
  }
}

/** Undefined only when `signal` was raised meanwhile. */
async function whenReachable<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof CodetetherError) || !error.entry.retryable) throw error;
    }
    await delay(retryDelayMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

interface Bell {
  ring(): void;
  silence(): void;
  /** True when it rings within `withinMs` or has rung since it was silenced; false otherwise, or when nobody listens any more. */
  heard(withinMs: number): Promise<boolean>;
}

function createBell(signal: AbortSignal): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rung = true;
    wake?.();
  };
  signal.addEventListener('abort', () => wake?.(), { once: true });
  return {
    ring,
    silence: () => {
      rung = false;
    },
    heard: async (withinMs) => {
      if (!rung && !signal.aborted) {
        const woken = Promise.withResolvers<void>();
        const timer = setTimeout(woken.resolve, withinMs);
        wake = woken.resolve;
        await woken.promise;
        wake = undefined;
        clearTimeout(timer);
      }
      return rung;
    },
  };
}
