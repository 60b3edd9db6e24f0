import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const memory = tenantTable(
  'memory',
  `
    repository text NOT NULL,
    memory_id text NOT NULL,
    content text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    importance integer NOT NULL CHECK (importance BETWEEN 1 AND 5),
    session_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    words tsvector NOT NULL,
    PRIMARY KEY (tenant_id, repository, memory_id)`,
);
const index = `CREATE INDEX memory_words ON memory USING gin (words)`;

/** What agents note for those after them. */
export const memories: Migration = {
  version: 8,
  name: 'memories',
  up: async (transaction) => {
    for (const statement of [memory, index]) await sql.raw(statement).execute(transaction);
  },
};
