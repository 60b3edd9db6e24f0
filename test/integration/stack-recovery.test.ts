import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stackPaths } from '../../services/stack/paths.ts';
import { isAlive } from '../../services/stack/processes.ts';
import { readState } from '../../services/stack/state.ts';
import { readStatus } from '../../services/stack/status.ts';
import { stopStack } from '../../services/stack/stop-stack.ts';
import { prepareTemporalCli, testStack } from './stack-fixtures.ts';
import type { TestStack } from './stack-fixtures.ts';

beforeAll(prepareTemporalCli, 600_000);

describe('one process of the local stack', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await testStack();
    await stack.ensure();
  });
  afterAll(async () => {
    await stack.remove();
  });

  it.each(['worker', 'api', 'temporal', 'postgres'] as const)(
    'is started again after kill -9 (%s), and the others are left alone',
    async (name) => {
      const before = await stack.pids();
      process.kill(before.get(name) ?? 0, 'SIGKILL');
      const killedAt = Date.now();
      await stack.untilRestarted(name, before.get(name) ?? 0);
      expect(Date.now() - killedAt).toBeLessThan(2_000);
      await stack.ensure();
      const after = new Map(await stack.pids());
      after.set(name, before.get(name) ?? 0);
      expect(after).toEqual(before);
      const { processes } = await readStatus(stack.dataDir);
      expect(processes.find((each) => each.name === name)).toMatchObject({ status: 'running', restarts: 1 });
    },
  );
});

describe('the local stack', () => {
  let stack: TestStack;
  beforeEach(async () => {
    stack = await testStack();
  });
  afterEach(async () => {
    await stack.remove();
    expect(await stack.processes()).toEqual([]);
  });

  it('is taken over with all its processes after kill -9 of the supervisor', async () => {
    await stack.ensure();
    const before = await stack.pids();
    process.kill(before.get('supervisor') ?? 0, 'SIGKILL');
    await expect.poll(async () => (await readStatus(stack.dataDir)).condition).toBe('abandoned');

    const access = await stack.ensure();
    expect(access.started).toBe(true);
    const after = await stack.pids();
    expect(after.get('supervisor')).not.toBe(before.get('supervisor'));
    for (const name of ['postgres', 'temporal', 'worker', 'api'] as const)
      expect(after.get(name)).toBe(before.get(name));

    process.kill(after.get('worker') ?? 0, 'SIGKILL');
    await stack.untilRestarted('worker', after.get('worker') ?? 0);
  });

  it('keeps the database through kill -9 of everything at once', async () => {
    const { apiSocket } = await stack.ensure();
    const url = String((await stack.apiEnvironment())['DATABASE_OWNER_URL']);
    await query(url, 'CREATE TABLE kept (value text)');
    await query(url, "INSERT INTO kept VALUES ('still here')");
    for (const pid of (await stack.pids()).values()) process.kill(pid, 'SIGKILL');

    const access = await stack.ensure();
    expect(access.apiSocket).toBe(apiSocket);
    expect(await query(url, 'SELECT value FROM kept')).toEqual([{ value: 'still here' }]);
  });

  it('is one stack when several commands start it at once', async () => {
    const started = await Promise.all([stack.ensure(), stack.ensure(), stack.ensure(), stack.ensure()]);
    expect(new Set(started.map(({ apiSocket }) => apiSocket)).size).toBe(1);
    const pids = await stack.pids();
    expect([...pids.keys()]).toEqual(['supervisor', 'postgres', 'temporal', 'worker', 'api']);
    // A process that PostgreSQL has just forked looks like the server itself for a moment.
    await expect.poll(async () => new Set(await stack.processes())).toEqual(new Set(pids.values()));
  });

  it('ends without a process left, also after kill -9 of the supervisor and with no state file', async () => {
    await stack.ensure();
    expect(await stopStack(stack.dataDir)).toEqual({
      ended: ['postgres', 'temporal', 'worker', 'api'],
      wasAbandoned: false,
    });
    expect(await stack.processes()).toEqual([]);
    expect(await stopStack(stack.dataDir)).toEqual({ ended: [], wasAbandoned: false });

    await stack.ensure();
    process.kill(await stack.pid('supervisor'), 'SIGKILL');
    await rm(stackPaths(stack.dataDir).stateFile);
    expect(await stopStack(stack.dataDir)).toEqual({
      ended: ['postgres', 'temporal', 'worker', 'api'],
      wasAbandoned: true,
    });
    expect(await stack.processes()).toEqual([]);
  });

  it('ends a process that the killed supervisor had not written down, and starts one in its place', async () => {
    await stack.ensure();
    const worker = await stack.pid('worker');
    process.kill(await stack.pid('supervisor'), 'SIGKILL');
    const { stateFile } = stackPaths(stack.dataDir);
    const state = JSON.parse(await readFile(stateFile, 'utf8')) as { children: { worker: { process: unknown } } };
    state.children.worker.process = null;
    await writeFile(stateFile, JSON.stringify(state));

    await stack.ensure();
    expect(await stack.pid('worker')).not.toBe(worker);
    const workers = (await stack.processes()).filter((pid) => pid === worker);
    expect(workers).toEqual([]);
  });

  it('does not take the process of somebody else for its own', async () => {
    await stack.ensure();
    await stopStack(stack.dataDir);
    // As after a restart of the machine: the numbers in the files are other programs' now.
    const { stateFile, postgresDir } = stackPaths(stack.dataDir);
    const foreign = { process: { pid: process.pid, startTime: '1' }, status: 'running', port: 1, restarts: 0 };
    await writeFile(
      stateFile,
      JSON.stringify({
        schemaVersion: 1,
        supervisor: foreign.process,
        children: { postgres: foreign, worker: foreign },
      }),
    );
    await writeFile(join(postgresDir, 'cluster', 'postmaster.pid'), `${process.pid}\n${postgresDir}/cluster\n1\n1\n`);
    await stack.ensure();
    expect(await stack.pid('postgres')).not.toBe(process.pid);
    expect(await stack.pid('worker')).not.toBe(process.pid);
  });

  it('ends by itself when its data dir is removed', async () => {
    await stack.ensure();
    const supervisor = (await readState(stack.dataDir))?.supervisor;
    // The servers go on writing into it meanwhile.
    await rm(stack.dataDir, { recursive: true, force: true, maxRetries: 20 });
    await expect.poll(async () => await stack.processes(), { timeout: 60_000, interval: 200 }).toEqual([]);
    expect(supervisor !== undefined && (await isAlive(supervisor))).toBe(false);
  });

  it('leaves nothing of an initialisation that was killed in the middle', async () => {
    const access = stack.ensure().catch(() => undefined);
    const { postgresDir } = stackPaths(stack.dataDir);
    const begun = async (): Promise<boolean> =>
      (await readdir(postgresDir).catch(() => [])).some((name) => name.startsWith('cluster.unfinished-'));
    while (!(await begun())) await delay(5);
    process.kill(await stack.pid('supervisor'), 'SIGKILL');
    await access;
    await stack.ensure();
    expect((await readdir(postgresDir)).toSorted()).toEqual([
      'cluster',
      'owner-made',
      'owner-password',
      'password',
      'superuser-password',
    ]);
    expect(await query(String((await stack.apiEnvironment())['DATABASE_URL']), 'SELECT 1 AS one')).toEqual([
      { one: 1 },
    ]);
  });
});

async function query(url: string, statement: string): Promise<readonly unknown[]> {
  for (const deadline = Date.now() + 10_000; ;) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } catch (error) {
      // It may still be recovering from the kill.
      if (Date.now() > deadline) throw error;
      await delay(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
