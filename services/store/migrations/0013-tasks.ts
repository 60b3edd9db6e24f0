import { sql } from 'kysely';
import type { Migration } from './index.ts';
import { tenantTable } from './tenant-table.ts';

const task = tenantTable(
  'a2a_task',
  `
    task_id text NOT NULL CHECK (length(task_id) <= 36),
    context_id text NOT NULL,
    principal text NOT NULL,
    executor text NOT NULL,
    session_id text NOT NULL,
    turn jsonb NOT NULL,
    state text NOT NULL DEFAULT 'submitted',
    status_at timestamptz(3) NOT NULL DEFAULT now(),
    head_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, task_id)`,
);
const event = tenantTable(
  'a2a_task_event',
  `
    task_id text NOT NULL,
    seq bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    at timestamptz(3) NOT NULL,
    PRIMARY KEY (tenant_id, task_id, seq),
    UNIQUE (tenant_id, task_id, key),
    FOREIGN KEY (tenant_id, task_id) REFERENCES a2a_task ON DELETE CASCADE`,
);
const message = tenantTable(
  'a2a_message',
  `
    principal text NOT NULL,
    message_id text NOT NULL,
    task_id text NOT NULL,
    PRIMARY KEY (tenant_id, principal, message_id)`,
);
const indexes = `
  CREATE INDEX a2a_task_by_status ON a2a_task (tenant_id, principal, status_at DESC, task_id DESC);
  CREATE INDEX a2a_task_by_session ON a2a_task (tenant_id, session_id)
    WHERE state IN ('submitted', 'working', 'input-required', 'auth-required');`;

/** Events and the state that they bring the task to in one go; none after a terminal state. */
const append = `
  CREATE FUNCTION append_a2a_task_events(target text, events jsonb) RETURNS integer
  LANGUAGE plpgsql AS $body$
  DECLARE
    head bigint;
    known text;
    added integer;
  BEGIN
    SELECT head_seq, state INTO STRICT head, known FROM a2a_task WHERE task_id = target FOR NO KEY UPDATE;
    IF known IN ('completed', 'canceled', 'failed', 'rejected') THEN
      RETURN 0;
    END IF;
    INSERT INTO a2a_task_event (task_id, seq, key, kind, body, at)
    SELECT target, head + row_number() OVER (ORDER BY place), event ->> 'key', event ->> 'kind', event -> 'body',
           clock_timestamp()
    FROM (SELECT DISTINCT ON (event ->> 'key') event, place
          FROM jsonb_array_elements(events) WITH ORDINALITY AS given (event, place)
          ORDER BY event ->> 'key', place) AS distinct_events
    WHERE NOT EXISTS (
      SELECT 1 FROM a2a_task_event old WHERE old.task_id = target AND old.key = event ->> 'key');
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added > 0 THEN
      UPDATE a2a_task SET head_seq = head + added WHERE task_id = target;
      UPDATE a2a_task SET state = newest.body ->> 'state', status_at = newest.at
      FROM (SELECT body, at FROM a2a_task_event
            WHERE task_id = target AND kind = 'status' AND seq > head ORDER BY seq DESC LIMIT 1) AS newest
      WHERE task_id = target;
      PERFORM pg_notify('a2a_task_event', target);
    END IF;
    RETURN added;
  END $body$;`;

/** Tasks of the A2A protocol, what happens to them, and which messages have come. */
export const tasks: Migration = {
  version: 13,
  name: 'tasks',
  up: async (transaction) => {
    for (const statement of [task, event, message, indexes, append]) await sql.raw(statement).execute(transaction);
  },
};
