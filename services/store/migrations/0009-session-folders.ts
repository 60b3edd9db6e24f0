import { sql } from 'kysely';
import type { Migration } from './index.ts';

const statements = `
  ALTER TABLE workspace ADD COLUMN kind text NOT NULL DEFAULT 'worktree' CHECK (kind IN ('worktree', 'folder'));
  CREATE INDEX session_by_folder ON session (tenant_id, folder, updated_at DESC) WHERE deleted_at IS NULL;`;

/** Sessions as runs, which work on a person's own folder. */
export const sessionFolders: Migration = {
  version: 9,
  name: 'session-folders',
  up: async (transaction) => {
    await sql.raw(statements).execute(transaction);
  },
};
