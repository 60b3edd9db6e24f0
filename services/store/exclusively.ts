import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from './schema.ts';

/**
 * Mutual exclusion by an advisory lock of the database, on a connection of its own: the lock ends with the process. One
 * after the other within a process, so that waiting work cannot use up the pool that the running work needs.
 */
export function createExclusively(database: Kysely<Database>): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (name, work) => {
    const turn = last.then(
      async () =>
        await database.connection().execute(async (connection) => {
          await sql`SELECT pg_advisory_lock(hashtextextended(${name}, 0))`.execute(connection);
          try {
            return await work();
          } finally {
            // Where this fails the connection is lost, and the lock with it.
            await sql`SELECT pg_advisory_unlock(hashtextextended(${name}, 0))`
              .execute(connection)
              .catch(() => undefined);
          }
        }),
    );
    last = turn.catch(() => undefined);
    return await turn;
  };
}
