import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const apiKey = tenantTable(
  'api_key',
  `
    key_id text NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    permissions text[] NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, key_id)`,
);
const namedWorkspace = tenantTable(
  'named_workspace',
  `
    name text NOT NULL,
    host_id text NOT NULL,
    folder text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)`,
);
const audit = tenantTable(
  'audit',
  `
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    principal text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'denied')),
    detail jsonb NOT NULL DEFAULT '{}',
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq)`,
);

/** Keys of principals, folders that they may name, and what was done and denied. */
export const access: Migration = {
  version: 11,
  name: 'access',
  up: async (transaction) => {
    for (const statement of [apiKey, namedWorkspace, audit]) await sql.raw(statement).execute(transaction);
  },
};
