import { sql } from 'kysely';
import type { RequestKey, RequestStore } from '../../domain/contracts/store.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

export function createRequestStore(database: Queries): RequestStore {
  return {
    beginRequest: async ({ principal, key, requestHash, holdMs }) =>
      await inTransaction(database, async (transaction) => {
        await transaction
          .deleteFrom('idempotent_request')
          .where(sql<boolean>`begun_at < now() - interval '24 hours'`)
          .execute();
        const fresh = await transaction
          .insertInto('idempotent_request')
          .values({ principal, key, request_hash: Buffer.from(requestHash), held_until: until(holdMs) })
          .onConflict((conflict) => conflict.doNothing())
          .returning('request_id')
          .executeTakeFirst();
        if (fresh !== undefined) return { kind: 'begun', requestId: fresh.request_id };
        const known = await transaction
          .selectFrom('idempotent_request')
          .select(['request_id', 'request_hash', 'status', 'content_type', 'answer'])
          .select(sql<boolean>`held_until > clock_timestamp()`.as('is_held'))
          .where('principal', '=', principal)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow();
        if (!known.request_hash.equals(requestHash)) return { kind: 'another' };
        const { status, content_type: contentType, answer } = known;
        if (status !== null && contentType !== null && answer !== null)
          return { kind: 'answered', answer: { status, contentType, body: answer } };
        if (known.is_held) return { kind: 'under-way' };
        await hold(transaction, { principal, key }, holdMs);
        return { kind: 'begun', requestId: known.request_id };
      }),
    holdRequest: async (request, holdMs) => await hold(database, request, holdMs),
    answerRequest: async ({ principal, key }, { status, contentType, body }) => {
      await database
        .updateTable('idempotent_request')
        .set({ status, content_type: contentType, answer: body })
        .where('principal', '=', principal)
        .where('key', '=', key)
        .execute();
    },
  };
}

async function hold(database: Queries, { principal, key }: RequestKey, holdMs: number): Promise<void> {
  await database
    .updateTable('idempotent_request')
    .set({ held_until: until(holdMs) })
    .where('principal', '=', principal)
    .where('key', '=', key)
    .execute();
}

function until(holdMs: number) {
  return sql<Date>`clock_timestamp() + ${holdMs} * interval '1 millisecond'`;
}
