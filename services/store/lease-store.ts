import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Lease, Placement, PlaceWorkInput } from '../../domain/contracts/activities.ts';
import type { LeaseStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { leaseMs, leastUsedHost } from '../../domain/run/placement.ts';
import { activeStatuses } from '../../domain/run/status.ts';
import { appendRunEvents } from './run-events.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

export function createLeaseStore(database: Kysely<Database>): LeaseStore {
  return {
    placeWork: async (input) =>
      await inTransaction(database, async (transaction) => await placeWork(transaction, input)),
    requireLease: async (lease) => await requireLease(database, lease),
    releaseLeases: async () => {
      const released = await database
        .updateTable('lease')
        .set({ host_id: null })
        .where('host_id', 'is not', null)
        .where('run_id', 'in', database.selectFrom('run').select('run_id').where('status', 'not in', activeStatuses))
        .executeTakeFirst();
      return Number(released.numUpdatedRows);
    },
  };
}

/** As {@link LeaseStore.requireLease}; in a transaction nobody else gets the lease before its end. */
export async function requireLease(database: Queries, lease: Lease): Promise<void> {
  const held = await database
    .selectFrom('lease')
    .select('number')
    .where('lease_id', '=', lease.leaseId)
    .where('host_id', '=', lease.hostId)
    .where('number', '=', lease.number)
    .forShare()
    .executeTakeFirst();
  if (held !== undefined) return;
  throw new CodetetherError(
    'lease-lost',
    `${lease.hostId} does not hold lease ${lease.number} of ${lease.leaseId} any more`,
  );
}

interface SeenHost {
  readonly hostId: string;
  readonly slots: number;
  readonly stories: number;
  readonly seenAt: Date;
  readonly unseenMs: number;
}

async function placeWork(database: Queries, { runId, storyId }: PlaceWorkInput): Promise<Placement> {
  // One at a time: whoever comes next sees what this one has taken.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('place-work', 0))`.execute(database);
  const id = workspaceId(runId, storyId ?? '');
  const leaseId = storyId === null ? runId : id;
  const [known, workspace, run, hosts] = [
    await database.selectFrom('lease').selectAll().where('lease_id', '=', leaseId).forUpdate().executeTakeFirst(),
    await database.selectFrom('workspace').selectAll().where('workspace_id', '=', id).executeTakeFirst(),
    await database.selectFrom('run').select('host_id').where('run_id', '=', runId).executeTakeFirst(),
    await seenHosts(database),
  ];
  if (run === undefined) throw new CodetetherError('not-found', `there is no run ${runId}`);
  const alive = hosts.filter(({ unseenMs }) => unseenMs <= leaseMs);
  const placed = (host: SeenHost, number: number): Placement => ({
    lease: { leaseId, hostId: host.hostId, number },
    expiresInMs: Math.max(0, Math.round(leaseMs - host.unseenMs)),
    takeOver:
      storyId !== null && workspace !== undefined && (workspace.host_id !== host.hostId || workspace.lease !== number),
  });
  const holder = alive.find(({ hostId }) => hostId === known?.host_id);
  if (known !== undefined && holder !== undefined) return placed(holder, known.number);

  const wanted = storyId === null ? run.host_id : workspace?.host_id;
  const next = alive.find(({ hostId }) => hostId === wanted) ?? leastUsedHost(alive, run.host_id);
  if (next === undefined) throw new CodetetherError('hosts-lost');
  const number = (known?.number ?? 0) + 1;
  const held = { host_id: next.hostId, number };
  await database
    .insertInto('lease')
    .values({ lease_id: leaseId, run_id: runId, story_id: storyId, ...held })
    .onConflict((conflict) => conflict.constraint('lease_pkey').doUpdateSet(held))
    .execute();
  const lost = hosts.find(({ hostId }) => hostId === known?.host_id);
  await appendRunEvents(database, runId, placementEvents({ leaseId, storyId, number, next, lost }));
  return placed(next, number);
}

function placementEvents(placement: {
  readonly leaseId: string;
  readonly storyId: string | null;
  readonly number: number;
  readonly next: SeenHost;
  readonly lost: SeenHost | undefined;
}): NewRunEvent[] {
  const { leaseId, storyId, number, next, lost } = placement;
  const key = `${leaseId}:lease:${number}`;
  const frame = storyId === null ? {} : { storyId };
  const events: NewRunEvent[] = [];
  if (lost !== undefined) {
    const body = { hostId: lost.hostId, seenAt: lost.seenAt.toISOString(), nextHostId: next.hostId };
    events.push({ key: `${key}:lost`, kind: 'host-lost', ...frame, body });
  }
  if (storyId !== null) {
    events.push({ key: `${key}:placed`, kind: 'story-placed', storyId, body: { hostId: next.hostId, lease: number } });
  }
  return events;
}

/** While the database was away no host could give a sign: the time counts from its start then. */
async function seenHosts(database: Queries): Promise<readonly SeenHost[]> {
  const rows = await database
    .selectFrom('host')
    .select((column) => [
      'host_id',
      'slots',
      'seen_at',
      sql<number>`extract(epoch FROM clock_timestamp() - greatest(seen_at, pg_postmaster_start_time())) * 1000`.as(
        'unseen',
      ),
      column
        .selectFrom('lease')
        .innerJoin('story', (join) =>
          join.onRef('story.run_id', '=', 'lease.run_id').onRef('story.story_id', '=', 'lease.story_id'),
        )
        .whereRef('lease.host_id', '=', 'host.host_id')
        .where('story.status', '=', 'running')
        .select(sql<number>`count(*)::integer`.as('stories'))
        .as('stories'),
    ])
    .execute();
  return rows.map((row) => ({
    hostId: row.host_id,
    slots: row.slots,
    seenAt: row.seen_at,
    unseenMs: row.unseen,
    stories: row.stories ?? 0,
  }));
}
