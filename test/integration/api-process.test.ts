import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../services/client/client.ts';
import { createStore } from '../../services/store/store.ts';
import { ownPostgres } from '../support/postgres.ts';
import type { OwnPostgres } from '../support/postgres.ts';
import { freePort } from '../../services/stack/ports.ts';

const program = resolve(import.meta.dirname, '../../services/api/main.ts');

let server: OwnPostgres;
let dataDir: string;
let socketPath: string;
let environment: Record<string, string>;
const children: ChildProcess[] = [];

beforeAll(async () => {
  server = await ownPostgres();
  await server.stop();
  dataDir = await mkdtemp(join(tmpdir(), 'codetether-data-'));
  socketPath = join(dataDir, 'api.sock');
  environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: dataDir,
    CODETETHER_DATA_DIR: dataDir,
    CODETETHER_API_SOCKET: socketPath,
    DATABASE_URL: server.url,
    DATABASE_OWNER_URL: server.ownerUrl,
    TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
  };
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.remove();
  await rm(dataDir, { recursive: true, force: true });
});

function start(overrides: Record<string, string> = {}): { readonly child: ChildProcess; said(): string } {
  const child = spawn(process.execPath, [program], {
    env: { ...environment, ...overrides },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return { child, said: () => output };
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  return (await once(child, 'exit'))[0];
}

test('the process serves at once, gets ready when the database comes, and ends in order, also with a stream open', async () => {
  const client = createClient({ socketPath });
  const { child, said } = start();
  await expect
    .poll(async () => await client.health().catch(() => null), { timeout: 15_000 })
    .toMatchObject({
      status: 'ok',
      version: '0.1.0',
      pid: child.pid,
    });
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  expect(await readFile(join(dataDir, 'host-id'), 'utf8')).toMatch(/-[0-9a-f]{6}\n$/);
  expect(await client.ready()).toEqual({ ready: false, database: false, engine: false, worker: false });

  const runs = client.listRuns();
  await server.start();
  expect(await runs).toEqual({ runs: [], nextCursor: null });
  await expect.poll(async () => (await client.ready()).database, { timeout: 10_000 }).toBe(true);

  await expect(client.startRun({ kind: 'ralph', prdPath: '/nowhere/prd.json', model: 'x' })).rejects.toMatchObject({
    code: 'prd-missing',
  });

  const store = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
  const { plan } = await import('./store-fixtures.ts');
  await store.openRun(plan());
  await store.close();
  const connection: boolean[] = [];
  const leaving = new AbortController();
  const stream = (async () => {
    const options = { signal: leaving.signal, onConnection: (connected: boolean) => connection.push(connected) };
    for await (const event of client.events(plan().runId, options)) throw new Error(`unexpected ${event.kind}`);
  })();
  await expect.poll(async () => (await client.listRuns()).runs.length, { timeout: 10_000 }).toBe(1);
  const from = Date.now();
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
  expect(Date.now() - from).toBeLessThan(10_000);
  await expect.poll(() => connection, { timeout: 10_000 }).toEqual([false]);
  leaving.abort();
  await stream;
  await expect(stat(socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(said()).not.toContain('"level":50');

  const second = start();
  await expect.poll(async () => await client.health().catch(() => null), { timeout: 15_000 }).not.toBeNull();
  const third = start();
  expect(await exitOf(third.child)).toBe(75);
  expect(third.said()).toContain('[port-taken]');
  second.child.kill('SIGKILL');
  await exitOf(second.child);
  const after = start();
  await expect.poll(async () => await client.health().catch(() => null), { timeout: 15_000 }).not.toBeNull();
  after.child.kill('SIGINT');
  expect(await exitOf(after.child)).toBe(0);
});

test('a setting that is missing stops the process, by name', async () => {
  const { child, said } = start({ DATABASE_URL: '' });
  expect(await exitOf(child)).toBe(2);
  expect(said()).toContain('DATABASE_URL: is not set');
});
