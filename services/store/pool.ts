import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { Pool, types } from 'pg';
import type { ClientConfig, CustomTypesConfig, PoolClient } from 'pg';
import { defaultTenant } from '../../domain/run/ids.ts';
import { databaseError, isAborted, isOutdated } from './database-errors.ts';
import { createStatementNames } from './statement-names.ts';
import type { StatementNames } from './statement-names.ts';

export interface DatabaseOptions {
  /** `postgresql://user:password@host:port/database`; a role that row level security holds for, see `docs/api.md`. */
  readonly databaseUrl: string;
  /** As the owner of the tables, for migrations; default: as above. */
  readonly ownerUrl?: string | undefined;
  /** Whose rows are seen and written; a function is asked for each transaction, `undefined` of it is nobody. */
  readonly tenant?: string | (() => string | undefined);
  readonly maxConnections?: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string;
}

/** Type ids of PostgreSQL: int8 and numeric. */
const numberTypes: ReadonlySet<number> = new Set([20, 1700]);

/** Counters stay far below 2^53 and money far below a million dollars, so both are safe as numbers. */
const typeParsers: CustomTypesConfig = {
  getTypeParser: (oid, format) => (numberTypes.has(oid) ? Number : types.getTypeParser(oid, format)),
};

/** A process that stands still in a transaction (stopped, or cut off from the network) holds its locks for no longer than this. */
const idleInTransactionMs = 10_000;

/** The tenant goes in as a startup option: a connection never exists without it. */
export function connectionConfig(options: DatabaseOptions): ClientConfig {
  const { connectionString, ownOptions } = splitOptions(options.databaseUrl);
  return {
    connectionString,
    options: [...ownOptions, `-c codetether.tenant=${fixedTenant(options)}`].join(' '),
    application_name: options.applicationName ?? 'codetether',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    types: typeParsers,
  };
}

function fixedTenant({ tenant = defaultTenant }: DatabaseOptions): string {
  return typeof tenant === 'string' ? tenant : '';
}

/** `options=` of the URL would replace ours, so they are joined. */
function splitOptions(databaseUrl: string): {
  readonly connectionString: string;
  readonly ownOptions: readonly string[];
} {
  const url = URL.parse(databaseUrl);
  const own = url?.searchParams.get('options') ?? null;
  if (url === null || own === null) return { connectionString: databaseUrl, ownOptions: [] };
  url.searchParams.delete('options');
  return { connectionString: url.href, ownOptions: [own] };
}

/** A small pool that outlives any number of restarts of the database. Connects on the first query. */
export function createPool(options: DatabaseOptions): Pool {
  const pool = new Pool({
    ...connectionConfig(options),
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: 30_000,
  });
  pool.on('error', () => {
    // An idle connection was lost; the pool has dropped it and the next query opens another.
  });
  return pool;
}

/**
 * The pool as kysely uses it: every connection that it gives out is the tenant's of that moment, queries that come again and again are
 * prepared, and every error on its way out is one of the catalogue.
 */
export function guardedPool(pool: Pool, { tenant }: Pick<DatabaseOptions, 'tenant'> = {}): PostgresPool {
  const guarded = new WeakMap<PoolClient, PostgresPoolClient>();
  const tenants = new WeakMap<PoolClient, string>();
  const names = createStatementNames();
  return {
    options: pool.options,
    connect: async () => {
      // Before anything is waited for: whose turn it is then may be another's.
      const wanted = typeof tenant === 'function' ? (tenant() ?? '') : undefined;
      const client = await pool.connect().catch(rethrow);
      const known = guarded.get(client) ?? guardedClient(client, names);
      guarded.set(client, known);
      if (wanted !== undefined && tenants.get(client) !== wanted) {
        tenants.delete(client);
        try {
          await client.query(`SELECT set_config('codetether.tenant', $1, false)`, [wanted]);
        } catch (error) {
          client.release(true);
          rethrow(error);
        }
        tenants.set(client, wanted);
      }
      return known;
    },
    end: async () => await pool.end(),
  };
}

function guardedClient(client: PoolClient, names: StatementNames): PostgresPoolClient {
  client.on('error', () => {
    // A connection was lost while it was out of the pool; the query that uses it says so.
  });
  async function query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  async function query(text: string, parameters: readonly unknown[]): Promise<unknown> {
    const values = [...parameters];
    // Without parameters a text may be several statements, which cannot be prepared.
    const name = values.length === 0 ? undefined : names.nameOf(text);
    if (name === undefined) return await client.query(text, values).catch(rethrow);
    return await client.query({ name, text, values }).catch((error: unknown) => {
      if (!isOutdated(error)) return rethrow(error);
      names.renew();
      // It has done nothing. Within a transaction, which is lost by it, the whole is tried again.
      return client.query(text, values).catch((second: unknown) => rethrow(isAborted(second) ? error : second));
    });
  }
  return { query, release: (destroy) => client.release(destroy) } as PostgresPoolClient;
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}
