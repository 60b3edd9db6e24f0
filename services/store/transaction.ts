import { Transaction } from 'kysely';
import type { Kysely } from 'kysely';
import { isConflict } from './database-errors.ts';
import type { Database } from './schema.ts';

/** Either a pool's database or one transaction of it. */
export type Queries = Kysely<Database>;

const maxConflicts = 3;

/** One transaction, or a part of the one that `database` is; tried again from its start when the server ended it for another's sake, so `work` may run more than once. */
export async function inTransaction<T>(
  database: Kysely<Database>,
  work: (transaction: Transaction<Database>) => Promise<T>,
): Promise<T> {
  if (database instanceof Transaction) return await work(database);
  for (let conflicts = 0; ; conflicts++) {
    try {
      return await database.transaction().execute(work);
    } catch (error) {
      if (!isConflict(error) || conflicts === maxConflicts) throw error;
    }
  }
}
