import { setTimeout as sleep } from 'node:timers/promises';
import { asCodetetherError } from '../../domain/errors.ts';

/**
 * Repeats a write that fails for want of the database or the shared remote until it works: what is to be written was paid for. Throws the
 * write's error when waiting does not help, and the signal's reason when that aborts.
 */
export async function untilStored<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      return await write();
    } catch (error) {
      if (!asCodetetherError(error).entry.retryable) throw error;
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    }
  }
}
