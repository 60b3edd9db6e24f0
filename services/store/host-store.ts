import { sql } from 'kysely';
import type { HostStore } from '../../domain/contracts/store.ts';
import { activeStatuses } from '../../domain/run/status.ts';
import type { Queries } from './transaction.ts';

export function createHostStore(database: Queries): HostStore {
  return {
    seeHost: async ({ hostId, slotsUsed, ...host }) => {
      const seen = { ...host, slots_used: slotsUsed, seen_at: sql<Date>`now()` };
      await database
        .insertInto('host')
        .values({ host_id: hostId, ...seen })
        .onConflict((conflict) => conflict.constraint('host_pkey').doUpdateSet(seen))
        .execute();
    },
    listHosts: async () => {
      const rows = await database
        .selectFrom('host')
        .selectAll()
        .select((column) =>
          column
            .selectFrom('lease')
            .innerJoin('run', 'run.run_id', 'lease.run_id')
            .innerJoin('story', (join) =>
              join.onRef('story.run_id', '=', 'lease.run_id').onRef('story.story_id', '=', 'lease.story_id'),
            )
            .whereRef('lease.host_id', '=', 'host.host_id')
            .where('run.status', 'in', activeStatuses)
            .where('story.status', '<>', 'passed')
            .select(sql<number>`count(*)::integer`.as('leases'))
            .as('leases'),
        )
        .orderBy('host_id')
        .execute();
      return rows.map((row) => ({
        hostId: row.host_id,
        name: row.name,
        pid: row.pid,
        version: row.version,
        slots: row.slots,
        slotsUsed: row.slots_used,
        seenAt: row.seen_at,
        leases: row.leases ?? 0,
      }));
    },
  };
}
