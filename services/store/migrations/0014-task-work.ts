import { sql } from 'kysely';
import type { Migration } from './index.ts';

const statements = `
  ALTER TABLE a2a_task RENAME COLUMN turn TO work;
  ALTER TABLE a2a_task RENAME COLUMN session_id TO run_id;
  ALTER TABLE a2a_task ALTER COLUMN run_id DROP NOT NULL;
  UPDATE a2a_task SET work = work || jsonb_build_object('executor', executor);
  ALTER TABLE a2a_task DROP COLUMN executor;
  ALTER INDEX a2a_task_by_session RENAME TO a2a_task_by_run;`;

/** A task's work need not be a turn of a session. */
export const taskWork: Migration = {
  version: 14,
  name: 'task-work',
  up: async (transaction) => {
    await sql.raw(statements).execute(transaction);
  },
};
