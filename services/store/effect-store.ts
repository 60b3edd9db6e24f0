import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { EffectIdentity, EffectRecord, EffectSettlement, EffectStore } from '../../domain/contracts/store.ts';
import { jsonText } from './json.ts';
import type { Database, EffectTable } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

export function createEffectStore(database: Kysely<Database>): EffectStore {
  return {
    beginEffect: async (effect) => {
      if (await insertEffect(database, effect)) return { kind: 'begun' };
      return await inTransaction(database, async (transaction) => {
        const known = await transaction
          .selectFrom('effect')
          .select(['state', 'outcome'])
          .where('key', '=', effect.key)
          .forUpdate()
          .executeTakeFirstOrThrow();
        if (known.state === 'done') return { kind: 'done', outcome: known.outcome };
        if (known.state === 'sent') return { kind: 'unknown' };
        await transaction
          .updateTable('effect')
          .set({ state: 'sent', tries: sql<number>`tries + 1`, sent_at: sql<Date>`now()`, settled_at: null })
          .where('key', '=', effect.key)
          .execute();
        return { kind: 'begun' };
      });
    },
    settleEffect: async (key, settlement) => await settleEffect(database, key, settlement),
    getEffect: async (key) => {
      const row = await database.selectFrom('effect').selectAll().where('key', '=', key).executeTakeFirst();
      return row === undefined ? undefined : effectRecord(row);
    },
    openToolCalls: async ({ runId, storyId }) => {
      const rows = await database
        .selectFrom('effect')
        .select('key')
        .where('run_id', '=', runId)
        .where('story_id', '=', storyId)
        .where('kind', '=', 'tool-call')
        .where('state', '=', 'sent')
        .execute();
      return rows.map(({ key }) => key);
    },
    listEffects: async (runId) => {
      const rows = await database
        .selectFrom('effect')
        .selectAll()
        .where('run_id', '=', runId)
        .orderBy('sent_at')
        .orderBy('key')
        .execute();
      return rows.map(effectRecord);
    },
  };
}

/** False when it is there. */
async function insertEffect(database: Queries, effect: EffectIdentity): Promise<boolean> {
  const inserted = await database
    .insertInto('effect')
    .values({ key: effect.key, run_id: effect.runId, story_id: effect.storyId, kind: effect.kind, state: 'sent' })
    .onConflict((conflict) => conflict.constraint('effect_pkey').doNothing())
    .returning('key')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** As {@link EffectStore.settleEffect}, in a transaction of the caller's. */
export async function settleEffect(database: Queries, key: string, settlement: EffectSettlement): Promise<void> {
  await database
    .updateTable('effect')
    .set({
      state: settlement.state,
      outcome: settlement.state === 'done' ? jsonText(settlement.outcome ?? null) : null,
      settled_at: sql<Date>`now()`,
    })
    .where('key', '=', key)
    .where('state', '<>', 'done')
    .execute();
}

function effectRecord(row: Selectable<EffectTable>): EffectRecord {
  return {
    key: row.key,
    runId: row.run_id,
    storyId: row.story_id,
    // Written by `insertEffect` only.
    kind: row.kind as EffectRecord['kind'],
    state: row.state as EffectRecord['state'],
    tries: row.tries,
    outcome: row.outcome,
    sentAt: row.sent_at,
    settledAt: row.settled_at,
  };
}
