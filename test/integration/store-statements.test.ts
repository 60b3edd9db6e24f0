import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../services/store/store.ts';
import { inTransaction } from '../../services/store/transaction.ts';
import type { Queries } from '../../services/store/transaction.ts';
import { ownPostgres } from '../support/postgres.ts';
import type { OwnPostgres } from '../support/postgres.ts';

let server: OwnPostgres;
let database: Queries;

beforeAll(async () => {
  server = await ownPostgres();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(async () => {
  database = openDatabase({ databaseUrl: server.ownerUrl, maxConnections: 1 });
  await sql`CREATE TABLE thing (id int, name text)`.execute(database);
  await sql`INSERT INTO thing VALUES (1, 'one')`.execute(database);
});

afterEach(async () => {
  await sql`DROP TABLE thing`.execute(database);
  await database.destroy();
});

const named = async (from: Queries, id: number) =>
  (await sql<object>`SELECT * FROM thing WHERE id = ${id}`.execute(from)).rows;

async function often(): Promise<void> {
  for (let time = 0; time < 10; time++) expect(await named(database, 1)).toEqual([{ id: 1, name: 'one' }]);
}

async function prepared(from: Queries): Promise<readonly string[]> {
  const { rows } = await sql<{ statement: string }>`SELECT statement FROM pg_prepared_statements`.execute(from);
  return rows.map(({ statement }) => statement);
}

test('what is asked again and again is prepared once, and what is asked a few times is not', async () => {
  await often();
  await sql`SELECT ${1}::int`.execute(database);
  expect(await prepared(database)).toEqual(['SELECT * FROM thing WHERE id = $1']);
});

test('a query goes on after a migration has changed the columns of its table', async () => {
  await often();
  await sql`ALTER TABLE thing ADD COLUMN age int DEFAULT 7`.execute(database);
  for (let time = 0; time < 10; time++) expect(await named(database, 1)).toEqual([{ id: 1, name: 'one', age: 7 }]);
});

test('a transaction that a migration has come upon is done again, as a whole and once', async () => {
  await often();
  await sql`ALTER TABLE thing ADD COLUMN age int DEFAULT 7`.execute(database);
  const found = await inTransaction(database, async (transaction) => {
    await sql`INSERT INTO thing VALUES (${2}, ${'two'})`.execute(transaction);
    return await named(transaction, 1);
  });
  expect(found).toEqual([{ id: 1, name: 'one', age: 7 }]);
  expect(await named(database, 2)).toEqual([{ id: 2, name: 'two', age: 7 }]);
});

test('of texts without end a bounded number is prepared', async () => {
  for (let text = 0; text < 1_500; text++)
    await sql`SELECT ${sql.raw(String(text))} WHERE ${text}::int = 0`.execute(database);
  for (let text = 0; text < 300; text++)
    for (let time = 0; time < 7; time++)
      await sql`SELECT ${sql.raw(String(text))} WHERE ${text}::int = 0`.execute(database);
  expect((await prepared(database)).length).toBe(200);
}, 60_000);
