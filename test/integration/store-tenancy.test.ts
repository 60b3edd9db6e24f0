import { sql } from 'kysely';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStore, openDatabase } from '../../services/store/store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { plan, warning } from './store-fixtures.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const store = createStore({ databaseUrl: database.url });
  await store.openRun(plan());
  await store.appendRunEvents(plan().runId, [warning('a')]);
  await store.close();
});

afterAll(async () => {
  await database.drop();
});

async function withoutTenant<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('every table of the application forces row level security with a policy that names the tenant', async () => {
  const tables = await withoutTenant(
    async (client) =>
      await client.query<{ name: string; forced: boolean; policies: number; nullable: boolean }>(`
        SELECT relname AS name, relrowsecurity AND relforcerowsecurity AS forced,
          (SELECT count(*)::integer FROM pg_policy WHERE polrelid = pg_class.oid
             AND pg_get_expr(polqual, polrelid) LIKE '%tenant_id%' AND pg_get_expr(polwithcheck, polrelid) LIKE '%tenant_id%') AS policies,
          NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id' AND attnotnull) AS nullable
        FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migration'`),
  );
  expect(tables.rows.length).toBe(23);
  for (const table of tables.rows) expect(table).toMatchObject({ forced: true, policies: 1, nullable: false });
});

test('the role of the application is not above row level security', async () => {
  const role = await withoutTenant(
    async (client) => await client.query('SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user'),
  );
  expect(role.rows).toEqual([{ rolsuper: false, rolbypassrls: false }]);
});

test('without a tenant there are no rows to see, change or delete', async () => {
  await withoutTenant(async (client) => {
    for (const table of ['run', 'story', 'workspace']) {
      expect((await client.query(`SELECT * FROM ${table}`)).rows).toEqual([]);
      expect((await client.query(`DELETE FROM ${table}`)).rowCount).toBe(0);
    }
    expect((await client.query(`UPDATE run SET status = 'error'`)).rowCount).toBe(0);
  });
});

test('what is append-only cannot be changed or deleted by the application’s role', async () => {
  await withoutTenant(async (client) => {
    for (const table of ['run_event', 'session_event', 'audit']) {
      await expect(client.query(`DELETE FROM ${table}`)).rejects.toThrow('permission denied');
      await expect(client.query(`UPDATE ${table} SET tenant_id = 'mine'`)).rejects.toThrow('permission denied');
    }
  });
});

test('without a tenant, or with an empty one, nothing can be written', async () => {
  await withoutTenant(async (client) => {
    const insert = `INSERT INTO blob (hash, body) VALUES ('h', '')`;
    await expect(client.query(insert)).rejects.toThrow('codetether.tenant');
    await expect(client.query(`INSERT INTO blob (tenant_id, hash, body) VALUES ('default', 'h', '')`)).rejects.toThrow(
      'row-level security',
    );
    await client.query(`SET codetether.tenant = ''`);
    await expect(client.query(insert)).rejects.toThrow('row-level security');
  });
});

test('two tenants have the same ids and never each other’s rows', async () => {
  const other = createStore({ databaseUrl: database.url, tenant: 'other' });
  const own = createStore({ databaseUrl: database.url });
  try {
    expect(await other.listRuns({ limit: 10 })).toEqual([]);
    expect(await other.openRun(plan())).toBe(1);
    await other.record({ runId: plan().runId, events: [warning('a', 'other')], run: { status: 'paused' } });
    expect(await own.readRunEvents(plan().runId, { afterSeq: 0, limit: 9 })).toMatchObject([
      { seq: 1, body: { message: 'a' } },
    ]);
    expect((await own.getRun(plan().runId))?.status).toBe('starting');
    expect((await own.listRuns({ limit: 10 })).length).toBe(1);
  } finally {
    await Promise.all([other.close(), own.close()]);
  }
});

test('options in the database URL are kept beside the tenant', async () => {
  const url = new URL(database.url);
  url.searchParams.set('options', '-c statement_timeout=1234ms');
  const queries = openDatabase({ databaseUrl: url.href });
  const shown = await sql<{ timeout: string; tenant: string }>`
    SELECT current_setting('statement_timeout') AS timeout, current_setting('codetether.tenant') AS tenant
  `.execute(queries);
  await queries.destroy();
  expect(shown.rows).toEqual([{ timeout: '1234ms', tenant: 'default' }]);
});
