import { CodetetherError } from '../../domain/errors.ts';
import { within } from './within.ts';

/** How long a request waits for a database that is being prepared. */
const preparedMs = 10_000;
/** A wait costs more than what it is for, once there is nothing to wait for. */
const arePrepared = new WeakSet<Promise<void>>();

/** @throws `database-unreachable` */
export async function waitUntilPrepared({ prepared }: { readonly prepared: Promise<void> }): Promise<void> {
  if (arePrepared.has(prepared)) return;
  if ((await within(preparedMs, prepared)) === 'late')
    throw new CodetetherError('database-unreachable', 'PostgreSQL does not answer yet');
  arePrepared.add(prepared);
}
