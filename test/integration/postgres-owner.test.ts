import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applicationRole, ownerRole, startPostgres } from '../../services/stack/postgres.ts';
import { createStore, openDatabase } from '../../services/store/store.ts';
import { freePort } from '../../services/stack/ports.ts';
import { plan } from './store-fixtures.ts';

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'codetether-postgres-'));
});
afterAll(async () => await rm(dataDir, { recursive: true, force: true }));

/** The cluster as releases without an owner's role have left it. */
async function asEarlier(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`REASSIGN OWNED BY ${ownerRole} TO ${applicationRole}`);
    await client.query(`DROP ROLE ${ownerRole}`);
  } finally {
    await client.end();
  }
  await rm(join(dataDir, 'owner-made'));
}

test('a cluster of an earlier release gets its owner, also after a crash, and keeps its rows', async () => {
  const port = await freePort();
  const first = await startPostgres({ dataDir, port });
  const before = createStore({ databaseUrl: first.url, ownerUrl: first.ownerUrl });
  await before.prepare();
  await before.openRun(plan());
  await before.close();
  await asEarlier(first.adminUrl);
  process.kill(first.pid, 'SIGKILL');
  await first.stop();

  for (const _start of [1, 2]) {
    const server = await startPostgres({ dataDir, port });
    const store = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
    await store.prepare();
    expect((await store.getRun(plan().runId))?.project).toBe(plan().prd.project);
    await store.close();
    const queries = openDatabase({ databaseUrl: server.url });
    const owners = await sql<{ owner: string }>`
      SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = 'public'`.execute(queries);
    expect(owners.rows).toEqual([{ owner: ownerRole }]);
    await queries.destroy();
    await server.stop();
  }
});
