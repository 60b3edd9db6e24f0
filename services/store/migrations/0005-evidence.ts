import { sql } from 'kysely';
import type { Migration } from './index.ts';

/** What a check found beyond green and red, and the commit that it was about. */
export const evidence: Migration = {
  version: 5,
  name: 'evidence',
  up: async (transaction) => {
    await sql`
      ALTER TABLE check_result
        ADD COLUMN "commit" text,
        ADD COLUMN verdict text NOT NULL DEFAULT 'ok' CHECK (verdict IN ('ok', 'red', 'flaky', 'red-as-before'))`.execute(
      transaction,
    );
    await sql`UPDATE check_result SET verdict = 'red' WHERE NOT ok`.execute(transaction);
    await sql`ALTER TABLE check_result ALTER COLUMN verdict DROP DEFAULT`.execute(transaction);
  },
};
