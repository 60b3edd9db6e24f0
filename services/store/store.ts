import { setTimeout as delay } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Pool } from 'pg';
import type { Lease } from '../../domain/contracts/activities.ts';
import type { Store } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { createAccessStore } from './access-store.ts';
import { createApprovalStore } from './approval-store.ts';
import { createBlobStore } from './blob-store.ts';
import { createCheckStore } from './check-store.ts';
import { createEffectStore } from './effect-store.ts';
import { createHostStore } from './host-store.ts';
import { createLeaseStore, requireLease } from './lease-store.ts';
import { createExclusively } from './exclusively.ts';
import { createMemoryStore } from './memory-store.ts';
import { migrate } from './migrate.ts';
import { createModelCallStore } from './model-call-store.ts';
import { connectionConfig, createPool, guardedPool } from './pool.ts';
import type { DatabaseOptions } from './pool.ts';
import { createEventListener } from './event-listener.ts';
import { createPushStore } from './push-store.ts';
import { createRequestStore } from './request-store.ts';
import { createRunStore } from './run-store.ts';
import type { Database } from './schema.ts';
import { createSessionRunStore } from './session-run-store.ts';
import { createSessionStore } from './session-store.ts';
import { inTransaction } from './transaction.ts';
import { createStatsStore } from './stats-store.ts';
import { createTaskStore } from './task-store.ts';
import { createWorkspaceStore } from './workspace-store.ts';

export type { DatabaseOptions } from './pool.ts';

const retryDelayMs = 200;

/** Without those that hold a connection of their own. */
export type StoreMethods = Omit<Store, 'watchRunEvents' | 'watchSessions' | 'watchTasks'>;

export interface PoolConnections {
  readonly open: number;
  readonly idle: number;
  /** Who waits for one. */
  readonly waiting: number;
}

export interface PostgresStore extends Store {
  /**
   * Waits until the database answers and brings its schema up to date. Safe in any number of processes at once.
   * @throws `database-unreachable` after `timeoutMs` (default: never), the signal's reason when aborted
   */
  prepare(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Runs `work` while nobody else runs work of that name, in this or another process; waits for its turn. Of one store
   * one piece of work runs at a time, whatever its name.
   */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>;
  /**
   * Does `work`, one or more of the store's methods, in one transaction, and only while the lease is the newest of its id.
   * Throws `lease-lost`; nothing of it is done then.
   */
  underLease<T>(lease: Lease, work: (store: StoreMethods) => Promise<T>): Promise<T>;
  /** Throws `database-unreachable` when the database does not answer. */
  ping(): Promise<void>;
  /** As they are now. */
  connections(): PoolConnections;
  /** Ends all connections; nothing may be called after it. */
  close(): Promise<void>;
}

/** The one implementation of the store, on PostgreSQL. Connects on first use and again after every restart of the database. */
export function createStore(options: DatabaseOptions): PostgresStore {
  const pool = createPool(options);
  const database = databaseOf(pool, options);
  const runEvents = createEventListener('run_event', connectionConfig(options));
  const sessionEvents = createEventListener('session_event', connectionConfig(options));
  const taskEvents = createEventListener('a2a_task_event', connectionConfig(options));
  return {
    ...storeMethods(database),
    watchRunEvents: async (onAppend) => runEvents.watch(onAppend),
    watchSessions: async (onAppend) => sessionEvents.watch(onAppend),
    watchTasks: async (onAppend) => taskEvents.watch(onAppend),
    underLease: async (lease, work) =>
      await inTransaction(database, async (transaction) => {
        await requireLease(transaction, lease);
        return await work(storeMethods(transaction));
      }),
    prepare: async (waiting = {}) => await prepare(options, waiting),
    exclusively: createExclusively(database),
    ping: async () => {
      await sql`SELECT 1`.execute(database);
    },
    connections: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: async () => {
      await Promise.all([runEvents.close(), sessionEvents.close(), taskEvents.close(), database.destroy()]);
    },
  };
}

function storeMethods(database: Kysely<Database>): StoreMethods {
  return {
    ...createApprovalStore(database),
    ...createRunStore(database),
    ...createSessionStore(database),
    ...createSessionRunStore(database),
    ...createModelCallStore(database),
    ...createEffectStore(database),
    ...createWorkspaceStore(database),
    ...createCheckStore(database),
    ...createBlobStore(database),
    ...createHostStore(database),
    ...createLeaseStore(database),
    ...createMemoryStore(database),
    ...createAccessStore(database),
    ...createStatsStore(database),
    ...createRequestStore(database),
    ...createTaskStore(database),
    ...createPushStore(database),
  };
}

/** The typed connection pool alone, for tools that look behind the store. */
export function openDatabase(options: DatabaseOptions): Kysely<Database> {
  return databaseOf(createPool(options), options);
}

function databaseOf(pool: Pool, options: DatabaseOptions): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: guardedPool(pool, options) }) });
}

/** As the owner of the tables, on a connection that ends with it. */
async function prepare(
  { databaseUrl, ownerUrl, ...options }: DatabaseOptions,
  waiting: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<void> {
  const owner = openDatabase({ ...options, databaseUrl: ownerUrl ?? databaseUrl, tenant: '', maxConnections: 1 });
  const application = decodeURIComponent(URL.parse(databaseUrl)?.username ?? '');
  const deadline = Date.now() + (waiting.timeoutMs ?? Number.POSITIVE_INFINITY);
  try {
    for (;;) {
      waiting.signal?.throwIfAborted();
      try {
        await migrate(owner, { application });
        return;
      } catch (error) {
        const unreachable = error instanceof CodetetherError && error.entry.retryable;
        if (!unreachable || Date.now() + retryDelayMs > deadline) throw error;
      }
      await delay(retryDelayMs, undefined, waiting.signal === undefined ? {} : { signal: waiting.signal });
    }
  } finally {
    await owner.destroy();
  }
}
