import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const lease = tenantTable(
  'lease',
  `
    lease_id text NOT NULL,
    run_id text NOT NULL,
    story_id text,
    host_id text,
    number integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, lease_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
);

/** Which host does what of the runs that several hosts share. */
export const leases: Migration = {
  version: 7,
  name: 'leases',
  up: async (transaction) => {
    const statements = [
      lease,
      'CREATE INDEX lease_by_host ON lease (tenant_id, host_id)',
      'ALTER TABLE workspace ADD COLUMN lease integer NOT NULL DEFAULT 0, ADD COLUMN remote text',
      'ALTER TABLE host ADD COLUMN slots_used integer NOT NULL DEFAULT 0',
    ];
    for (const statement of statements) await sql.raw(statement).execute(transaction);
  },
};
