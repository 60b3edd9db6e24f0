import { sql } from 'kysely';
import type { HostStore } from '../../domain/contracts/store.ts';
import type { Queries } from './transaction.ts';

export function createHostStore(database: Queries): HostStore {
  return {
    seeHost: async ({ hostId, ...host }) => {
      const seen = { ...host, seen_at: sql<Date>`now()` };
      await database
        .insertInto('host')
        .values({ host_id: hostId, ...seen })
        .onConflict((conflict) => conflict.constraint('host_pkey').doUpdateSet(seen))
        .execute();
    },
    listHosts: async () => {
      const rows = await database.selectFrom('host').selectAll().orderBy('host_id').execute();
      return rows.map((row) => ({
        hostId: row.host_id,
        name: row.name,
        pid: row.pid,
        version: row.version,
        slots: row.slots,
        seenAt: row.seen_at,
      }));
    },
  };
}
