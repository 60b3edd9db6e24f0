import { z } from 'zod';
import type { RunStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { attemptFailures } from '../../domain/run/events.ts';
import { rememberedFailures } from '../../domain/run/progress.ts';
import type { RememberedFailure } from '../../domain/run/progress.ts';
import { jsonText } from './json.ts';
import type { Queries } from './transaction.ts';

const Failures: z.ZodType<RememberedFailure[]> = z.array(
  z.object({
    attempt: z.number(),
    reason: z.enum(attemptFailures),
    message: z.string(),
    failure: z.string(),
    tree: z.string(),
    files: z.array(z.string()),
  }),
);

/** See `RunStore.rememberFailure`; to be called in a transaction. */
export async function rememberFailure(
  database: Queries,
  { runId, storyId, failure }: Parameters<RunStore['rememberFailure']>[0],
): Promise<readonly RememberedFailure[]> {
  const row = await database
    .selectFrom('story')
    .select('failures')
    .where('run_id', '=', runId)
    .where('story_id', '=', storyId)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new CodetetherError('not-found', `there is no story ${storyId} in ${runId}`);
  const others = Failures.parse(row.failures).filter(({ attempt }) => attempt !== failure.attempt);
  const failures = [...others, failure].slice(-rememberedFailures);
  await database
    .updateTable('story')
    .set({ failures: jsonText(failures) })
    .where('run_id', '=', runId)
    .where('story_id', '=', storyId)
    .execute();
  return failures;
}
