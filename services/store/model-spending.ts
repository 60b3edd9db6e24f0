import { sql } from 'kysely';
import { z } from 'zod';
import type { ModelSpending } from '../../domain/contracts/store.ts';
import type { ModelPrice } from '../../domain/model/prices.ts';
import { usageOf } from './run-rows.ts';
import type { Queries } from './transaction.ts';

const rates = {
  inputUsd: z.number(),
  cachedInputUsd: z.number(),
  cacheWriteUsd: z.number(),
  outputUsd: z.number(),
};
const StoredPrice: z.ZodType<ModelPrice> = z.object({
  ...rates,
  source: z.enum(['table', 'default', 'script', 'file']),
  longInput: z.object({ ...rates, aboveTokens: z.number() }).exactOptional(),
});

/** See `ModelCallStore.spending`. */
export async function readSpending(database: Queries, runId: string): Promise<readonly ModelSpending[]> {
  const rows = await database
    .selectFrom('model_call')
    .select(['story_id', 'model'])
    .select(({ fn }) => [
      fn.countAll<number>().as('calls'),
      sql<number>`sum(input_tokens)`.as('input_tokens'),
      sql<number>`sum(output_tokens)`.as('output_tokens'),
      sql<number>`sum(cached_input_tokens)`.as('cached_input_tokens'),
      sql<number>`sum(cost_usd)`.as('cost_usd'),
      sql<number>`sum(reserved_tokens)`.as('reserved_tokens'),
      sql<number>`sum(reserved_usd)`.as('reserved_usd'),
      sql`(array_agg(price ORDER BY created_at DESC) FILTER (WHERE price IS NOT NULL))[1]`.as('price'),
    ])
    .where('run_id', '=', runId)
    .groupBy(['story_id', 'model'])
    .orderBy('story_id')
    .orderBy('model')
    .execute();
  return rows.map((row) => ({
    storyId: row.story_id,
    model: row.model,
    calls: row.calls,
    usage: usageOf(row),
    reservedUsd: row.reserved_usd,
    reservedTokens: row.reserved_tokens,
    price: StoredPrice.nullable().parse(row.price),
  }));
}
