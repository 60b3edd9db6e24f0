import { sql } from 'kysely';
import type { Migration } from './index.ts';

/** Times are read in milliseconds: a page that begins after one has to mean exactly that. */
const columns = `
  ALTER TABLE run ADD COLUMN deleted_at timestamptz;
  ALTER TABLE run ALTER COLUMN started_at TYPE timestamptz(3);`;

/** Runs that are not listed any more; nothing of them is lost, and one that is started again is listed again. */
export const deletedRuns: Migration = {
  version: 16,
  name: 'deleted-runs',
  up: async (transaction) => {
    await sql.raw(columns).execute(transaction);
  },
};
