import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';

const retryDelayMs = 500;

/** Undefined only when `signal` was raised meanwhile. */
export async function whenReachable<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T | undefined> {
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

/** Wakes a reader of a log when there may be something new. */
export function createBell(signal: AbortSignal): Bell {
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
