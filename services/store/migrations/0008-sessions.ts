import { sql } from 'kysely';
import type { Migration } from './index.ts';

const columns = `
  ALTER TABLE session
    ADD COLUMN kind text NOT NULL DEFAULT 'attempt' CHECK (kind IN ('attempt', 'chat', 'agent')),
    ADD COLUMN title text NOT NULL DEFAULT '',
    ADD COLUMN folder text,
    ADD COLUMN model text,
    ADD COLUMN agent text NOT NULL DEFAULT '',
    ADD COLUMN policy jsonb,
    ADD COLUMN parent_session_id text,
    ADD COLUMN parent_seq bigint,
    ADD COLUMN updated_at timestamptz(3) NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz,
    ADD CHECK ((parent_session_id IS NULL) = (parent_seq IS NULL)),
    ADD FOREIGN KEY (tenant_id, parent_session_id) REFERENCES session;
  UPDATE session SET updated_at = coalesce(
    (SELECT max(at) FROM session_event WHERE session_event.session_id = session.session_id), created_at);
  CREATE INDEX session_by_update ON session (tenant_id, updated_at DESC, session_id DESC) WHERE deleted_at IS NULL;
  CREATE INDEX session_by_parent ON session (tenant_id, parent_session_id) WHERE parent_session_id IS NOT NULL;`;

/** As in the first migration, and tells the time of the newest row and whoever watches. */
const append = `
  CREATE OR REPLACE FUNCTION append_session_events(target text, events jsonb) RETURNS integer
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
      UPDATE session SET head_seq = head + added, updated_at = clock_timestamp() WHERE session_id = target;
      PERFORM pg_notify('session_event', target);
    END IF;
    RETURN added;
  END $body$;`;

/** Sessions that are listed, forked, renamed and deleted by people. */
export const sessions: Migration = {
  version: 8,
  name: 'sessions',
  up: async (transaction) => {
    for (const statement of [columns, append]) await sql.raw(statement).execute(transaction);
  },
};
