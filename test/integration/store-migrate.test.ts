import { execFile } from 'node:child_process';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { migrate } from '../../services/store/migrate.ts';
import { migrations } from '../../services/store/migrations/index.ts';
import { createStore, openDatabase } from '../../services/store/store.ts';
import { createEmptyDatabase } from '../support/postgres.ts';
import { program } from '../support/test-stack.ts';
import { plan } from './store-fixtures.ts';

test('eight processes that migrate an empty database at once leave one schema', async () => {
  const database = await createEmptyDatabase();
  const stores = Array.from({ length: 8 }, () =>
    createStore({ databaseUrl: database.url, ownerUrl: database.ownerUrl }),
  );
  await Promise.all(stores.map(async (store) => await store.prepare()));
  expect(await stores[0]?.openRun(plan())).toBe(1);
  const queries = openDatabase({ databaseUrl: database.url });
  const applied = await sql<{ version: number }>`SELECT version FROM schema_migration`.execute(queries);
  expect(applied.rows.map((row) => row.version)).toEqual(migrations.map((migration) => migration.version));
  await Promise.all([queries.destroy(), ...stores.map(async (store) => await store.close())]);
  await database.drop();
});

test('a migration that fails leaves nothing behind and can be tried again', async () => {
  const database = await createEmptyDatabase();
  const queries = openDatabase({ databaseUrl: database.ownerUrl });
  const broken = {
    version: 2,
    name: 'broken',
    up: async () => {
      throw new Error('broken');
    },
  };
  await expect(migrate(queries, { list: [...migrations, broken] })).rejects.toThrow('broken');
  const tables = await sql`SELECT 1 FROM pg_class WHERE relname = 'run'`.execute(queries);
  expect(tables.rows).toEqual([]);
  await migrate(queries);
  await migrate(queries);
  await queries.destroy();
  await database.drop();
});

test('the application’s role cannot change the schema, and is told whose work that is', async () => {
  const database = await createEmptyDatabase();
  const alone = createStore({ databaseUrl: database.url });
  await expect(alone.prepare()).rejects.toMatchObject({
    code: 'config-invalid',
    next: expect.stringContaining('DATABASE_OWNER_URL'),
  });
  const both = createStore({ databaseUrl: database.url, ownerUrl: database.ownerUrl });
  await both.prepare();
  await alone.prepare();
  expect(await alone.openRun(plan())).toBe(1);
  const queries = openDatabase({ databaseUrl: database.url });
  await expect(sql`ALTER TABLE run NO FORCE ROW LEVEL SECURITY`.execute(queries)).rejects.toThrow('must be owner');
  await expect(sql`CREATE TABLE own (id integer)`.execute(queries)).rejects.toMatchObject({ code: 'config-invalid' });
  await Promise.all([alone.close(), both.close(), queries.destroy()]);
  await database.drop();
});

test('migration versions go up by one', () => {
  expect(migrations.map((migration) => migration.version)).toEqual(migrations.map((_, index) => index + 1));
});

test('codetether migrate makes the schema as its owner, twice is once, and says what is missing', async () => {
  const database = await createEmptyDatabase();
  const run = async (env: NodeJS.ProcessEnv) => {
    const { DATABASE_URL: _own, DATABASE_OWNER_URL: _owner, ...rest } = process.env;
    return await new Promise<{ readonly code: number; readonly stderr: string }>((resolve) => {
      execFile(program, ['migrate'], { env: { ...rest, ...env, NO_COLOR: '1' } }, (error, _stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stderr });
      });
    });
  };
  const urls = { DATABASE_URL: database.url, DATABASE_OWNER_URL: database.ownerUrl };
  expect(await run({ DATABASE_URL: database.url })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('DATABASE_OWNER_URL'),
  });
  for (const _time of [1, 2]) expect(await run(urls)).toMatchObject({ code: 0 });
  expect(await run({})).toMatchObject({ code: 2, stderr: expect.stringContaining('DATABASE_URL: is not set') });
  const store = createStore({ databaseUrl: database.url });
  expect(await store.openRun(plan())).toBe(1);
  await store.close();
  await database.drop();
});
