import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const effect = tenantTable(
  'effect',
  `
    key text NOT NULL,
    run_id text NOT NULL,
    story_id text,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('sent', 'done', 'interrupted')),
    tries integer NOT NULL DEFAULT 1,
    outcome jsonb,
    sent_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, key),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
);

const index = 'CREATE INDEX effect_by_run ON effect (tenant_id, run_id, sent_at);';

export const effects: Migration = {
  version: 2,
  name: 'effects',
  up: async (transaction) => {
    for (const statement of [effect, index]) await sql.raw(statement).execute(transaction);
  },
};
