import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';

/** How long a request waits for a database that is being prepared. */
const preparedMs = 10_000;

/** @throws `database-unreachable` */
export async function waitUntilPrepared({ prepared }: { readonly prepared: Promise<void> }): Promise<void> {
  const waiting = new AbortController();
  const late = async (): Promise<never> => {
    await delay(preparedMs, undefined, { signal: waiting.signal });
    throw new CodetetherError('database-unreachable', 'PostgreSQL does not answer yet');
  };
  try {
    await Promise.race([prepared, late()]);
  } finally {
    waiting.abort();
  }
}
