import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const approval = tenantTable(
  'approval',
  `
    approval_id text NOT NULL,
    run_id text NOT NULL,
    story_id text NOT NULL,
    workflow_id text NOT NULL,
    kind text NOT NULL,
    question text NOT NULL,
    choices jsonb NOT NULL,
    default_choice text NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'answered', 'expired')),
    answer text,
    answered_by text,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (tenant_id, approval_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
);
const index = `CREATE INDEX approval_pending ON approval (tenant_id, run_id) WHERE state = 'pending'`;

/** What people are asked. */
export const approvals: Migration = {
  version: 3,
  name: 'approvals',
  up: async (transaction) => {
    for (const statement of [approval, index]) await sql.raw(statement).execute(transaction);
  },
};
