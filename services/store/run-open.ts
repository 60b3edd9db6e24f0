import type { Insertable } from 'kysely';
import { sql } from 'kysely';
import type { RunPlan, StoryRecord, StoryRetry } from '../../domain/contracts/store.ts';
import type { Story } from '../../domain/ralph/prd.ts';
import { cleanText, jsonText } from './json.ts';
import { appendRunEvents } from './run-events.ts';
import { lockRun } from './run-rows.ts';
import type { StoryTable } from './schema.ts';
import type { Queries } from './transaction.ts';

/** Stories written by one statement; keeps it far below PostgreSQL's 65,535 parameters. */
const storiesPerStatement = 1000;

/** See `RunStore.openRun`; to be called in a transaction. */
export async function openRun(database: Queries, plan: RunPlan): Promise<number> {
  const { runId, prd } = plan;
  const { stories, ...prdWithoutStories } = prd;
  const described = {
    status: 'starting',
    project: cleanText(prd.project),
    feature: cleanText(prd.feature),
    repo_path: plan.repoPath,
    prd_path: plan.prdPath,
    branch: plan.branch,
    host_id: plan.hostId,
    options: jsonText(plan.options),
    prd: jsonText(prdWithoutStories),
  };
  await database
    .insertInto('run')
    .values({ run_id: runId, kind: 'ralph', ...described })
    .onConflict((conflict) => conflict.constraint('run_pkey').doNothing())
    .execute();
  await lockRun(database, runId);
  await releaseReservations(database, runId);
  const opened = await database
    .updateTable('run')
    .set((column) => ({
      ...described,
      execution: sql<number>`execution + 1`,
      opened_seq: column.ref('head_seq'),
      outcome_message: '',
      started_at: sql<Date>`now()`,
      ended_at: null,
      deleted_at: null,
    }))
    .where('run_id', '=', runId)
    .returning('execution')
    .executeTakeFirstOrThrow();
  const stayFailed = plan.retry === undefined ? new Set() : await failedBesides(database, runId, plan.retry);
  const followed = stories.map((story) => ({
    story,
    status: story.passes ? ('passed' as const) : stayFailed.has(story.id) ? ('failed' as const) : ('open' as const),
  }));
  await followStories(database, runId, followed, { tries: 'anew' });
  if (plan.retry !== undefined) await reopen(database, runId, { ...plan.retry, execution: opened.execution });
  return opened.execution;
}

async function failedBesides(database: Queries, runId: string, { storyId }: StoryRetry): Promise<ReadonlySet<string>> {
  const rows = await database
    .selectFrom('story')
    .select('story_id')
    .where('run_id', '=', runId)
    .where('status', '=', 'failed')
    .where('story_id', '<>', storyId)
    .execute();
  return new Set(rows.map((row) => row.story_id));
}

/** The story's next agent is told why it failed and what a person says. */
async function reopen(
  database: Queries,
  runId: string,
  { storyId, hint, execution }: StoryRetry & { readonly execution: number },
): Promise<void> {
  await appendRunEvents(database, runId, [
    { key: `reopened:${execution}`, kind: 'story-reopened', storyId, body: { hint } },
  ]);
  if (hint === '') return;
  const said = cleanText(`A person says: ${hint}`);
  await database
    .updateTable('story')
    .set({
      feedback: sql<string>`jsonb_build_object('reason', 'failed', 'message',
        concat_ws(E'\\n\\n', story.feedback ->> 'message', ${said}::text))`,
    })
    .where('run_id', '=', runId)
    .where('story_id', '=', storyId)
    .execute();
}

/**
 * Calls that were reserved and never answered hold nothing any more once nobody can answer them. An answer that comes
 * after all is still counted as spent.
 */
export async function releaseReservations(
  database: Queries,
  runId: string,
  { storyId }: { readonly storyId?: string } = {},
): Promise<void> {
  await sql`
    WITH released AS (
      DELETE FROM model_call
      WHERE run_id = ${runId} AND status = 'reserved' AND (${storyId ?? null}::text IS NULL OR story_id = ${storyId ?? null})
      RETURNING reserved_usd, reserved_tokens)
    UPDATE run
    SET reserved_usd = run.reserved_usd - total.usd, reserved_tokens = run.reserved_tokens - total.tokens,
        steps = run.steps - total.calls
    FROM (SELECT coalesce(sum(reserved_usd), 0) AS usd, coalesce(sum(reserved_tokens), 0)::bigint AS tokens,
                 count(*) AS calls FROM released) AS total
    WHERE run_id = ${runId} AND total.calls > 0`.execute(database);
}

/**
 * The run's stories are these, in this order; others are removed.
 * @param options.tries `keep`: only a story whose status changes has all of its tries again
 */
export async function followStories(
  database: Queries,
  runId: string,
  stories: readonly { readonly story: Story; readonly status: StoryRecord['status'] }[],
  options: { readonly tries: 'anew' | 'keep' },
): Promise<void> {
  const rows = stories.map(({ story, status }, position) => ({
    run_id: runId,
    story_id: story.id,
    position,
    story: jsonText(story),
    status,
  }));
  for (let start = 0; start < rows.length; start += storiesPerStatement)
    await writeStories(database, rows.slice(start, start + storiesPerStatement), options);
  const storyIds = rows.map((row) => row.story_id);
  await removeOthers(database, runId, storyIds);
}

async function writeStories(
  database: Queries,
  rows: readonly Insertable<StoryTable>[],
  { tries }: { readonly tries: 'anew' | 'keep' },
): Promise<void> {
  await database
    .insertInto('story')
    .values([...rows])
    .onConflict((conflict) =>
      conflict.constraint('story_pkey').doUpdateSet({
        position: sql`excluded.position`,
        story: sql`excluded.story`,
        status: sql`excluded.status`,
        removed: false,
        tries: tries === 'anew' ? 0 : sql`CASE WHEN excluded.status = story.status THEN story.tries ELSE 0 END`,
        commit: sql`CASE WHEN excluded.status = 'passed' THEN story."commit" END`,
        feedback: sql`CASE WHEN excluded.status = 'passed' THEN NULL ELSE story.feedback END`,
        // Another text is another task: that the old one went round in circles says nothing of it.
        failures: sql`CASE WHEN excluded.story - 'passes' = story.story - 'passes' THEN story.failures ELSE '[]' END`,
        ended_at: sql`CASE WHEN excluded.status IN ('passed', 'failed') THEN story.ended_at END`,
      }),
    )
    .execute();
}

async function removeOthers(database: Queries, runId: string, storyIds: readonly string[]): Promise<void> {
  await database
    .updateTable('story')
    .set({ removed: true, status: 'open', tries: 0 })
    .where('run_id', '=', runId)
    .where(sql<boolean>`NOT (story_id = ANY (${storyIds}))`)
    .execute();
}
