import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../services/stack/postgres.ts';
import type { PostgresServer } from '../../services/stack/postgres.ts';
import { createStore } from '../../services/store/store.ts';
import { freePort } from '../../services/stack/ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** As the superuser, to a database that no test uses. */
    readonly postgresAdminUrl: string;
    /** As the application role, to the migrated database that others are copied from. Nobody may stay connected to it. */
    readonly postgresTemplateUrl: string;
    /** As the owner of its tables. */
    readonly postgresOwnerUrl: string;
  }
}

/** A server for one test file that does things to it; others share the run's. */
export interface OwnPostgres {
  readonly url: string;
  /** As the owner of the tables. */
  readonly ownerUrl: string;
  /** As the superuser. */
  readonly adminUrl: string;
  /** Kills the server without a word, as a crash does, and waits until it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops the server and removes its data. */
  remove(): Promise<void>;
}

let shared: OwnPostgres | undefined;

/** vitest's global setup: one server for all test files, with a migrated template. */
export async function setup(project: TestProject): Promise<void> {
  shared = await ownPostgres();
  const store = createStore({ databaseUrl: shared.url, ownerUrl: shared.ownerUrl });
  await store.prepare({ timeoutMs: 10_000 });
  await store.close();
  project.provide('postgresTemplateUrl', shared.url);
  project.provide('postgresOwnerUrl', shared.ownerUrl);
  project.provide('postgresAdminUrl', adminUrlOf(shared));
}

export async function teardown(): Promise<void> {
  await shared?.remove();
  shared = undefined;
}

export interface TestDatabase {
  /** As the application role. */
  readonly url: string;
  /** As the owner of the tables. */
  readonly ownerUrl: string;
  drop(): Promise<void>;
}

/** A database of its own with the newest schema and no rows. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await createDatabase(new URL(inject('postgresTemplateUrl')).pathname.slice(1));
}

/** A database of its own without any schema. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await createDatabase('template0');
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const url = new URL(inject('postgresTemplateUrl'));
  const ownerUrl = new URL(inject('postgresOwnerUrl'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER ${ownerUrl.username} STRATEGY FILE_COPY`);
  for (const each of [url, ownerUrl]) each.pathname = `/${name}`;
  const drop = async () => await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  return { url: url.href, ownerUrl: ownerUrl.href, drop };
}

export async function ownPostgres(): Promise<OwnPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'codetether-postgres-'));
  const port = await freePort();
  let server: PostgresServer = await startPostgres({ dataDir, port });
  return {
    url: server.url,
    ownerUrl: server.ownerUrl,
    adminUrl: server.adminUrl,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
    stop: async () => await server.stop(),
    start: async () => {
      server = await startPostgres({ dataDir, port });
    },
    remove: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function adminUrlOf(server: OwnPostgres): string {
  const url = new URL(server.adminUrl);
  url.pathname = '/postgres';
  return url.href;
}

async function administer(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject('postgresAdminUrl') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
