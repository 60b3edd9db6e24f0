import { DatabaseError } from 'pg';
import { CodetetherError } from '../../domain/errors.ts';

/** SQLSTATEs besides class 08 that say: not now, but later without anybody changing anything. */
const unreachableStates = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '53300', // too_many_connections
  '25P03', // idle_in_transaction_session_timeout
  '28000', // invalid_authorization_specification: also while the local stack is making the role
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name: also while the local stack is making the database
]);

/** Two transactions stood in each other's way, or a table is not what it was: the same transaction can be tried again at once. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '40001' || error.code === '40P01' || isOutdated(error));
}

/** A prepared statement whose rows have other columns since a migration (`cached plan must not change result type`). */
export function isOutdated(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '0A000' && error.routine === 'RevalidateCachedQuery';
}

/** A query after one that failed, within the same transaction. */
export function isAborted(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '25P02';
}

/**
 * Turns what `pg` throws for a query or a connection into the catalogue's error, where it has one. An error that
 * did not come from the server and is no programming mistake is a lost or refused connection.
 */
export function databaseError(error: unknown): unknown {
  if (error instanceof CodetetherError || !(error instanceof Error)) return error;
  if (error instanceof DatabaseError) return serverError(error);
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) return error;
  const systemCode = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (systemCode === 'ENOSPC') return new CodetetherError('disk-full', undefined, { cause: error });
  return unreachable(error, error.message === '' ? (systemCode ?? error.name) : error.message);
}

function serverError(error: DatabaseError): unknown {
  const state = error.code ?? '';
  if (state === '42501') {
    return new CodetetherError('config-invalid', `the database's role may not do that: ${error.message}`, {
      next: 'Set DATABASE_OWNER_URL to the owner of the tables, or run codetether migrate as it.',
      cause: error,
    });
  }
  if (state === '53100') return new CodetetherError('disk-full', undefined, { cause: error });
  if (state === 'P0002') return new CodetetherError('not-found', error.message, { cause: error });
  if (state.startsWith('08') || unreachableStates.has(state)) return unreachable(error, error.message);
  return error;
}

function unreachable(cause: Error, reason: string): CodetetherError {
  return new CodetetherError('database-unreachable', `PostgreSQL does not answer: ${reason}`, { cause });
}
