import { sql } from 'kysely';
import type { Migration } from './index.ts';

const statements = `
  ALTER TABLE run ADD COLUMN steps bigint NOT NULL DEFAULT 0;
  UPDATE run SET steps = (SELECT count(*) FROM model_call WHERE model_call.run_id = run.run_id);
  ALTER TABLE story ADD COLUMN failures jsonb NOT NULL DEFAULT '[]';
  ALTER TABLE model_call ADD COLUMN price jsonb;
  CREATE INDEX model_call_by_run ON model_call (tenant_id, run_id, story_id);`;

/** A step counter and the price of each call for the ledger; the memory of failed attempts. */
export const budgets: Migration = {
  version: 4,
  name: 'budgets',
  up: async (transaction) => {
    await sql.raw(statements).execute(transaction);
  },
};
