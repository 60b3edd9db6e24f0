import { sql } from 'kysely';
import type { Migration } from './index.ts';

/** The files that the newest committed attempt of a story has changed: where its next one is likely to be. */
export const storyFiles: Migration = {
  version: 6,
  name: 'story files',
  up: async (transaction) => {
    await sql.raw(`ALTER TABLE story ADD COLUMN files jsonb NOT NULL DEFAULT '[]'`).execute(transaction);
  },
};
