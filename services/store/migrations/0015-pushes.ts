import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const config = tenantTable(
  'push_config',
  `
    task_id text NOT NULL,
    config_id text NOT NULL,
    url text NOT NULL,
    wire_version text NOT NULL,
    sealed bytea,
    after_seq bigint NOT NULL,
    dead_in_a_row integer NOT NULL DEFAULT 0,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, task_id, config_id),
    FOREIGN KEY (tenant_id, task_id) REFERENCES a2a_task ON DELETE CASCADE`,
);
const failure = tenantTable(
  'push_failure',
  `
    failure_id uuid NOT NULL DEFAULT gen_random_uuid(),
    task_id text NOT NULL,
    config_id text NOT NULL,
    seq bigint NOT NULL,
    is_dead boolean NOT NULL,
    attempts integer NOT NULL,
    next_at timestamptz NOT NULL,
    reason text NOT NULL,
    status integer,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, task_id, config_id, seq),
    UNIQUE (tenant_id, failure_id),
    FOREIGN KEY (tenant_id, task_id, config_id) REFERENCES push_config ON DELETE CASCADE`,
);
const index = `CREATE INDEX push_failure_dead ON push_failure (tenant_id, at DESC, failure_id DESC) WHERE is_dead`;

/** Where others are told of tasks, and what could not be told. */
export const pushes: Migration = {
  version: 15,
  name: 'pushes',
  up: async (transaction) => {
    for (const statement of [config, failure, index]) await sql.raw(statement).execute(transaction);
  },
};
