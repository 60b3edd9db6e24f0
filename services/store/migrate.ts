import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { DatabaseError } from 'pg';
import { migrations } from './migrations/index.ts';
import type { Migration } from './migrations/index.ts';
import type { Database } from './schema.ts';

/** Any number, the same in every release: what processes that migrate at the same time wait for each other by. */
const migrationLock = 7_236_011_409;

/**
 * Brings the schema up to date, as the owner of its tables; two queries when it is. Safe in any number of processes at once. All
 * missing migrations are applied or none. A database that a newer release has migrated further is left as it is.
 * @param options.application the role that works with the rows; it gets no more than that
 */
export async function migrate(
  database: Kysely<Database>,
  { application, list = migrations }: { readonly application?: string; readonly list?: readonly Migration[] } = {},
): Promise<void> {
  const newest = Math.max(0, ...list.map((migration) => migration.version));
  const role = application === undefined || application === '' ? undefined : application;
  if ((await appliedVersion(database)) >= newest && (await isAdmitted(database, role))) return;
  await database.transaction().execute(async (transaction) => {
    await sql`SELECT pg_advisory_xact_lock(${migrationLock})`.execute(transaction);
    await sql`CREATE TABLE IF NOT EXISTS schema_migration (
      version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`.execute(
      transaction,
    );
    const applied = await sql<{ version: number }>`SELECT version FROM schema_migration`.execute(transaction);
    const known = new Set(applied.rows.map((row) => row.version));
    for (const migration of list.toSorted((a, b) => a.version - b.version)) {
      if (known.has(migration.version)) continue;
      await migration.up(transaction);
      await sql`INSERT INTO schema_migration (version, name) VALUES (${migration.version}, ${migration.name})`.execute(
        transaction,
      );
    }
    if (role !== undefined) await admit(transaction, role);
  });
}

const appendOnly = ['a2a_task_event', 'audit', 'run_event', 'session_event'];

/** Also for the owner itself. */
async function isAdmitted(database: Kysely<Database>, role: string | undefined): Promise<boolean> {
  if (role === undefined) return true;
  const { rows } = await sql<{ may: boolean }>`
    SELECT has_table_privilege(${role}, 'schema_migration', 'SELECT') AS may`.execute(database);
  return rows[0]?.may === true;
}

async function admit(database: Kysely<Database>, application: string): Promise<void> {
  const { rows } = await sql<{ isOwner: boolean }>`SELECT current_user = ${application} AS "isOwner"`.execute(database);
  if (rows[0]?.isOwner === true) return;
  const role = sql.id(application);
  await sql`GRANT USAGE ON SCHEMA public TO ${role}`.execute(database);
  await sql`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`.execute(database);
  await sql`REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM ${role}`.execute(database);
  await sql`REVOKE UPDATE, DELETE ON ${sql.join(appendOnly.map((table) => sql.table(table)))} FROM ${role}`.execute(
    database,
  );
  await sql`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`.execute(database);
}

async function appliedVersion(database: Kysely<Database>): Promise<number> {
  try {
    const result = await sql<{ version: number }>`
      SELECT coalesce(max(version), 0) AS version FROM schema_migration`.execute(database);
    return result.rows[0]?.version ?? 0;
  } catch (error) {
    const undefinedTable = error instanceof DatabaseError && error.code === '42P01';
    if (undefinedTable) return 0;
    throw error;
  }
}
