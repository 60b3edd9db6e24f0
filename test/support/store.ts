import { afterAll, beforeAll } from 'vitest';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase } from './postgres.ts';
import type { TestDatabase } from './postgres.ts';

/** A store on a database of its own for the tests of one file; `take` gets both before the first of them. */
export function withTestStore(
  take: (store: PostgresStore, database: TestDatabase) => void,
  options: Pick<Parameters<typeof createStore>[0], 'tenant'> = {},
): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await createTestDatabase();
    store = createStore({ databaseUrl: database.url, ...options });
    take(store, database);
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
  });
}
