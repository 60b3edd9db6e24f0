import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const usageColumns = `
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cached_input_tokens bigint NOT NULL DEFAULT 0,
  cost_usd numeric(20, 9) NOT NULL DEFAULT 0`;

const tables: Readonly<Record<string, string>> = {
  run: `
    run_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    project text NOT NULL,
    feature text NOT NULL,
    repo_path text NOT NULL,
    prd_path text NOT NULL,
    branch text NOT NULL,
    base text,
    tip text,
    host_id text NOT NULL,
    options jsonb NOT NULL,
    prd jsonb NOT NULL,
    execution integer NOT NULL DEFAULT 0,
    head_seq bigint NOT NULL DEFAULT 0,
    opened_seq bigint NOT NULL DEFAULT 0,
    ${usageColumns},
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_usd numeric(20, 9) NOT NULL DEFAULT 0,
    outcome_message text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, run_id)`,
  story: `
    run_id text NOT NULL,
    story_id text NOT NULL,
    position integer NOT NULL,
    removed boolean NOT NULL DEFAULT false,
    story jsonb NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    "commit" text,
    feedback jsonb,
    ${usageColumns},
    duration_ms bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, run_id, story_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
  run_event: `
    run_id text NOT NULL,
    seq bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    story_id text,
    attempt integer,
    body jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq),
    UNIQUE (tenant_id, run_id, key),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
  session: `
    session_id text NOT NULL,
    head_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id)`,
  session_event: `
    session_id text NOT NULL,
    seq bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, session_id, seq),
    UNIQUE (tenant_id, session_id, key),
    FOREIGN KEY (tenant_id, session_id) REFERENCES session ON DELETE CASCADE`,
  model_call: `
    key text NOT NULL,
    run_id text NOT NULL,
    story_id text NOT NULL,
    session_id text NOT NULL,
    model text NOT NULL,
    status text NOT NULL CHECK (status IN ('reserved', 'answered')),
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_usd numeric(20, 9) NOT NULL DEFAULT 0,
    result jsonb,
    ${usageColumns},
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (tenant_id, key),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
  workspace: `
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    story_id text NOT NULL,
    host_id text NOT NULL,
    path text NOT NULL,
    branch text NOT NULL,
    base text NOT NULL,
    checkpoint text NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id)`,
  check_result: `
    id bigint GENERATED ALWAYS AS IDENTITY,
    run_id text NOT NULL,
    story_id text,
    attempt integer,
    place text NOT NULL,
    name text NOT NULL,
    command text NOT NULL,
    tree text NOT NULL,
    ok boolean NOT NULL,
    exit_code integer,
    duration_ms bigint NOT NULL,
    summary text NOT NULL,
    log text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run ON DELETE CASCADE`,
  blob: `
    hash text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, hash)`,
  host: `
    host_id text NOT NULL,
    name text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    slots integer NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, host_id)`,
};

/** Half-full pages let the hot rows (ledger, head) be updated in place, without touching an index. */
const indexesAndStorage = `
  ALTER TABLE run SET (fillfactor = 50);
  ALTER TABLE session SET (fillfactor = 50);
  ALTER TABLE story SET (fillfactor = 70);
  ALTER TABLE blob ALTER COLUMN body SET STORAGE EXTERNAL;
  CREATE INDEX run_by_start ON run (tenant_id, started_at DESC);
  CREATE INDEX check_result_by_story ON check_result (tenant_id, run_id, story_id, id);
  CREATE INDEX model_call_reserved ON model_call (tenant_id, run_id) WHERE status = 'reserved';`;

/**
 * Appends in the array's order and returns how many were new. The row lock on the owner makes seq gapless and
 * visible in order; each statement of a volatile function sees what the lock's last holder committed.
 */
const functions = `
  CREATE FUNCTION append_run_events(target text, events jsonb, only_if_first_is_new boolean) RETURNS integer
  LANGUAGE plpgsql AS $body$
  DECLARE
    head bigint;
    added integer;
  BEGIN
    SELECT head_seq INTO head FROM run WHERE run_id = target FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'there is no run %', target USING ERRCODE = 'no_data_found';
    END IF;
    IF only_if_first_is_new
       AND EXISTS (SELECT 1 FROM run_event WHERE run_id = target AND key = events -> 0 ->> 'key') THEN
      RETURN 0;
    END IF;
    INSERT INTO run_event (run_id, seq, key, kind, story_id, attempt, body, at)
    SELECT target, head + row_number() OVER (ORDER BY place), event ->> 'key', event ->> 'kind', event ->> 'storyId',
           (event ->> 'attempt')::integer, event -> 'body', clock_timestamp()
    FROM (SELECT DISTINCT ON (event ->> 'key') event, place
          FROM jsonb_array_elements(events) WITH ORDINALITY AS given (event, place)
          ORDER BY event ->> 'key', place) AS distinct_events
    WHERE NOT EXISTS (SELECT 1 FROM run_event known WHERE known.run_id = target AND known.key = event ->> 'key');
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added > 0 THEN
      UPDATE run SET head_seq = head + added WHERE run_id = target;
      PERFORM pg_notify('run_event', target);
    END IF;
    RETURN added;
  END $body$;

  CREATE FUNCTION append_session_events(target text, events jsonb) RETURNS integer
  LANGUAGE plpgsql AS $body$
  DECLARE
    head bigint;
    added integer;
  BEGIN
    INSERT INTO session (session_id) VALUES (target) ON CONFLICT ON CONSTRAINT session_pkey DO NOTHING;
    SELECT head_seq INTO STRICT head FROM session WHERE session_id = target FOR NO KEY UPDATE;
    INSERT INTO session_event (session_id, seq, key, kind, body, at)
    SELECT target, head + row_number() OVER (ORDER BY place), event ->> 'key', event ->> 'kind', event -> 'body',
           clock_timestamp()
    FROM (SELECT DISTINCT ON (event ->> 'key') event, place
          FROM jsonb_array_elements(events) WITH ORDINALITY AS given (event, place)
          ORDER BY event ->> 'key', place) AS distinct_events
    WHERE NOT EXISTS (
      SELECT 1 FROM session_event known WHERE known.session_id = target AND known.key = event ->> 'key');
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added > 0 THEN
      UPDATE session SET head_seq = head + added WHERE session_id = target;
    END IF;
    RETURN added;
  END $body$;`;

export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: async (transaction) => {
    const statements = Object.entries(tables).map(([name, columns]) => tenantTable(name, columns));
    for (const statement of [...statements, indexesAndStorage, functions]) {
      await sql.raw(statement).execute(transaction);
    }
  },
};
