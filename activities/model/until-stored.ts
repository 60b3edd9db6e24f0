import { setTimeout as sleep } from 'node:timers/promises';
import { asCodetetherError } from '../../domain/errors.ts';

const longestMs = 120_000;

/**
 * Repeats a write that fails for want of the database, for two minutes at most: what is to be written was paid for,
 * and would be paid for again. Throws the write's error, and the signal's reason when that aborts.
 */
export async function untilStored(write: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + longestMs;
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      await write();
      return;
    } catch (error) {
      if (!asCodetetherError(error).entry.retryable || performance.now() + waitMs > endMs) throw error;
      await sleep(waitMs, undefined, { signal });
    }
  }
}
