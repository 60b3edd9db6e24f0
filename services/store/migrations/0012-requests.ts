import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const request = tenantTable(
  'idempotent_request',
  `
    principal text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    request_id uuid NOT NULL DEFAULT gen_random_uuid(),
    begun_at timestamptz NOT NULL DEFAULT now(),
    held_until timestamptz NOT NULL,
    status integer,
    content_type text,
    answer text,
    PRIMARY KEY (tenant_id, principal, key)`,
);
const index = `CREATE INDEX idempotent_request_begun ON idempotent_request (tenant_id, begun_at)`;

/** What was answered to requests that came with a key. */
export const requests: Migration = {
  version: 12,
  name: 'requests',
  up: async (transaction) => {
    for (const statement of [request, index]) await sql.raw(statement).execute(transaction);
  },
};
