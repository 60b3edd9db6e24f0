import { sql } from 'kysely';
import type { Migration } from './index.ts';

const statements = `
  ALTER TABLE workspace ADD COLUMN kind text NOT NULL DEFAULT 'worktree' CHECK (kind IN ('worktree', 'folder'));
  CREATE INDEX run_by_folder ON run (tenant_id, repo_path, started_at DESC) WHERE kind = 'session';`;

/** Sessions as runs, which work on a person's own folder. */
export const sessions: Migration = {
  version: 7,
  name: 'sessions',
  up: async (transaction) => {
    await sql.raw(statements).execute(transaction);
  },
};
