import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLeaseHolder } from '../../activities/hosts/lease-holder.ts';
import type { LostWork } from '../../activities/hosts/lease-holder.ts';
import type { HostActivities, Lease } from '../../domain/contracts/activities.ts';
import { createStore, openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { FakeWorld } from '../support/fake-world.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { plan, warning } from './store-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let sql: ReturnType<typeof openDatabase>;
let runId: string;
let count = 0;
const home = 'tiger-1f2e3d';

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
  sql = openDatabase({ databaseUrl: database.url });
});
afterAll(async () => {
  await sql.destroy();
  await store.close();
  await database.drop();
});
beforeEach(async () => {
  runId = `ralph:leases-${++count}:x`;
  await store.openRun(plan({ runId }));
  await sql.deleteFrom('host').execute();
  for (const hostId of [home, 'ant', 'bee']) await see(hostId);
});

const see = (hostId: string, slots = 8) =>
  store.seeHost({ hostId, name: hostId, pid: 1, version: '1', slots, slotsUsed: 0 });

/** The database of the tests is too young for a host to have been silent for longer than a lease: it goes altogether. */
const lose = async (hostId: string) => {
  await sql.deleteFrom('host').where('host_id', '=', hostId).execute();
};

const quiet = { leaseLost: async () => undefined, remoteAway: async () => undefined };
const place = (storyId: string | null = 'US-1') => store.placeWork({ runId, storyId });
const run = async (storyId: string) =>
  store.record({ runId, events: [warning(`start ${storyId}`)], story: { storyId, status: 'running', attempts: 1 } });

describe('placing', () => {
  test('spreads stories over the hosts by the share of their slots, and what is done for the run stays at home', async () => {
    await see('bee', 2);
    for (const storyId of ['US-1', 'US-2', 'US-3']) await run(storyId);
    const hosts = [];
    for (const storyId of ['US-1', 'US-2', 'US-3']) hosts.push((await place(storyId)).lease.hostId);
    expect(hosts).toEqual([home, 'ant', 'bee']);
    expect((await place(null)).lease).toEqual({ leaseId: runId, hostId: home, number: 1 });
    const listed = await store.listHosts();
    expect(listed.map(({ hostId, leases }) => [hostId, leases])).toEqual([
      ['ant', 1],
      ['bee', 1],
      [home, 1],
    ]);
  });

  test('gives the same answer while the host is alive, and a higher number when another gets it', async () => {
    const first = await place();
    expect(await place()).toMatchObject({ lease: first.lease, takeOver: false });
    expect(first.expiresInMs).toBeGreaterThan(20_000);
    await lose(home);
    const second = await place();
    expect(second.lease).toEqual({ ...first.lease, hostId: 'ant', number: 2 });
    await see(home);
    expect((await place()).lease, 'a host that comes back late').toEqual(second.lease);
    const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 100, kinds: ['story-placed'] });
    expect(events.map(({ body }) => body)).toEqual([
      { hostId: home, lease: 1 },
      { hostId: 'ant', lease: 2 },
    ]);
  });

  test('asks for a take-over while the workspace lies under an older lease', async () => {
    const { lease } = await place();
    const workspace = {
      workspaceId: lease.leaseId,
      runId,
      storyId: 'US-1',
      hostId: home,
      path: '/w',
      branch: 'b',
      base: 'b1',
      checkpoint: 'c1',
      attempt: 1,
      lease: 1,
      remote: '/srv/app.git',
    };
    await store.putWorkspace(workspace);
    expect((await place()).takeOver).toBe(false);
    await lose(home);
    expect(await place()).toMatchObject({ lease: { hostId: 'ant' }, takeOver: true });
    await store.putWorkspace({ ...workspace, hostId: 'ant', lease: 2 });
    expect((await place()).takeOver).toBe(false);
  });

  test('waits when no host is alive', async () => {
    for (const hostId of [home, 'ant', 'bee']) await lose(hostId);
    await expect(place()).rejects.toMatchObject({ code: 'hosts-lost' });
  });

  test('leases of runs that are over are taken back, and their numbers are not used again', async () => {
    await place();
    expect(await store.releaseLeases()).toBe(0);
    const ended = { outcome: 'stopped', message: '', tip: null, commits: 0, durationMs: 1 } as const;
    await store.finishRun({ runId, execution: 1, ...ended });
    expect(await store.releaseLeases()).toBe(1);
    expect((await place()).lease.number).toBe(2);
  });
});

describe('what a host writes under a lease that it has lost', () => {
  /** An activity that is under way when its lease goes to another host, and writes then. */
  async function late(write: (fenced: PostgresStore, lease: Lease) => Promise<unknown>): Promise<LostWork[]> {
    const { lease } = await place();
    const holder = createLeaseHolder(store);
    const fenced = holder.fence(store);
    const lost: LostWork[] = [];
    const activities: HostActivities = {
      ...new FakeWorld([]).activities(),
      openSession: async () => {
        await lose(lease.hostId);
        expect((await place()).lease.number).toBe(2);
        await write(fenced, lease);
      },
    };
    const held = holder.hold(activities, { ...quiet, leaseLost: async (work) => void lost.push(work) });
    const input = { runId, storyId: 'US-1', attempt: 1, sessionId: `${runId}:US-1:1`, lease };
    await expect(held.openSession(input)).rejects.toMatchObject({ code: 'lease-lost' });
    return lost;
  }
  const result = (lease: Lease) => ({
    sessionId: `${runId}:US-1:1`,
    sessionEvent: {
      key: 'k',
      kind: 'tool-result',
      body: { callId: 'c', tool: 'bash', ok: true, output: 'late' },
    } as const,
    workspaceId: lease.leaseId,
    checkpoint: 'c9',
    runId,
    runEvents: [warning('late')],
    effect: { state: 'done', outcome: {} } as const,
  });

  test('is refused: a tool result, its checkpoint and its events', async () => {
    const lost = await late((fenced, lease) => fenced.recordToolResult(result(lease)));
    expect(lost).toMatchObject([{ runId, storyId: 'US-1', lease: { number: 1 } }]);
    expect(await store.readSession(`${runId}:US-1:1`)).toEqual([]);
    expect(await store.readRunEvents(runId, { afterSeq: 0, limit: 10, kinds: ['warning'] })).toEqual([]);
  });

  test('is refused: workspace, effect and failure', async () => {
    const effect = { key: 'e', runId, storyId: 'US-1', kind: 'commit' } as const;
    await late((fenced) => fenced.beginEffect(effect));
    expect(await store.getEffect('e')).toBeUndefined();
    runId = `ralph:leases-${++count}:x`;
    await store.openRun(plan({ runId }));
    for (const hostId of [home, 'ant', 'bee']) await see(hostId);
    await late((fenced, { leaseId }) => fenced.deleteWorkspace(leaseId));
  });

  test('is written while the lease is the newest, and in a run that is not shared', async () => {
    const { lease } = await place();
    const holder = createLeaseHolder(store);
    const fenced = holder.fence(store);
    const activities: HostActivities = {
      ...new FakeWorld([]).activities(),
      openSession: async () => await fenced.recordToolResult(result(lease)),
    };
    const held = holder.hold(activities, quiet);
    const input = { runId, storyId: 'US-1', attempt: 1, sessionId: `${runId}:US-1:1` };
    const leased = { ...input, lease };
    await held.openSession(leased);
    await held.openSession(input);
    expect(await store.readSession(`${runId}:US-1:1`)).toHaveLength(1);
  });
});

test('a host that stands still in the middle of a transaction holds up the others for some seconds only', async () => {
  const [locked, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const still = sql.transaction().execute(async (transaction) => {
    await transaction.selectFrom('run').select('run_id').where('run_id', '=', runId).forUpdate().execute();
    locked.resolve();
    await others.promise;
    await transaction.selectFrom('run').select('run_id').execute();
  });
  const refused = expect(still).rejects.toMatchObject({ code: 'database-unreachable' });
  await locked.promise;
  await store.appendRunEvents(runId, [warning('goes on')]);
  others.resolve();
  await refused;
}, 25_000);
