import { sql } from 'kysely';
import type { FinishRunInput } from '../../domain/contracts/activities.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { blockedStories } from '../../domain/ralph/schedule.ts';
import { totalTokens } from '../../domain/run/budget.ts';
import { isActive, runStatuses } from '../../domain/run/events.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import { expireApprovals } from './approval-store.ts';
import { cleanText } from './json.ts';
import { appendRunEvents, hasRunEvent } from './run-events.ts';
import { releaseReservations } from './run-open.ts';
import { lockRun, usageOf } from './run-rows.ts';
import { scheduledStories } from './schedule-rows.ts';
import type { Queries } from './transaction.ts';

/** See `ProjectionActivities.finishRun`; to be called in a transaction. Does nothing for an execution that is over. */
export async function finishRun(database: Queries, input: FinishRunInput): Promise<void> {
  const { runId, execution } = input;
  const run = await lockRun(database, runId);
  if (run === undefined) throw new CodetetherError('not-found', `there is no run ${runId}`);
  if (run.execution !== execution) return;
  const active = runStatuses.some((status) => status === run.status && isActive(status));
  const key = `run-ended:${execution}`;
  const ended = await hasRunEvent(database, runId, key);
  if (ended && !active) return;

  await database
    .updateTable('story')
    .set({ status: 'open' })
    .where('run_id', '=', runId)
    .where('status', '=', 'running')
    .execute();
  const blocked = blockedStories(await scheduledStories(database, runId));
  if (blocked.size > 0) {
    await database
      .updateTable('story')
      .set({ status: 'blocked' })
      .where('run_id', '=', runId)
      .where('story_id', 'in', [...blocked.keys()])
      .execute();
  }
  await expireApprovals(database, runId);
  await releaseReservations(database, runId);
  const stories = await scheduledStories(database, runId);
  const usage = usageOf(run);
  const tip = input.tip ?? run.tip;
  const blockedEvents = [...blocked].map(([storyId, by]): NewRunEvent => ({
    key: `story-blocked:${execution}:${storyId}`,
    kind: 'story-blocked',
    storyId,
    body: { by },
  }));
  await appendRunEvents(database, runId, [
    ...blockedEvents,
    {
      // An execution that was taken for dead and lives on ends a second time, after its further events.
      key: ended ? `${key}:${run.head_seq}` : key,
      kind: 'run-ended',
      body: {
        outcome: input.outcome,
        message: input.message,
        passed: stories.filter((story) => story.status === 'passed').length,
        total: stories.length,
        branch: run.branch,
        tip,
        commits: input.commits,
        tokens: totalTokens(usage),
        costUsd: usage.costUsd,
        durationMs: input.durationMs,
      },
    },
  ]);
  await database
    .updateTable('run')
    .set({ status: input.outcome, tip, outcome_message: cleanText(input.message), ended_at: sql<Date>`now()` })
    .where('run_id', '=', runId)
    .execute();
}
