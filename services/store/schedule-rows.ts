import { sql } from 'kysely';
import { z } from 'zod';
import type { ReadyStoriesResult } from '../../domain/contracts/activities.ts';
import type { ScheduledStory } from '../../domain/ralph/schedule.ts';
import { isOpen, readyStories as readyOf } from '../../domain/ralph/schedule.ts';
import type { Queries } from './transaction.ts';

const ScheduledRow = z.object({
  storyId: z.string(),
  position: z.number(),
  status: z.enum(['open', 'running', 'passed', 'failed', 'blocked']),
  dependsOn: z.array(z.string()),
  priority: z.number(),
  complexity: z.number(),
  tries: z.number(),
  attempts: z.number(),
  title: z.string(),
  verificationSteps: z.number(),
});
type ScheduledRow = z.infer<typeof ScheduledRow> & ScheduledStory;

const titleCharacters = 80;

/** What scheduling needs of each story of the PRD, without the stories' texts. */
export async function scheduledStories(database: Queries, runId: string): Promise<readonly ScheduledRow[]> {
  const rows = await database
    .selectFrom('story')
    .select([
      'story_id as storyId',
      'position',
      'status',
      'tries',
      'attempts',
      sql`story -> 'dependsOn'`.as('dependsOn'),
      sql<number>`(story ->> 'priority')::integer`.as('priority'),
      sql<number>`(story ->> 'complexity')::integer`.as('complexity'),
      sql<string>`story ->> 'title'`.as('title'),
      sql<number>`jsonb_array_length(story -> 'verificationSteps')`.as('verificationSteps'),
    ])
    .where('run_id', '=', runId)
    .where('removed', '=', false)
    .orderBy('position')
    .execute();
  return rows.map((row) => ScheduledRow.parse(row));
}

export async function readyStories(
  database: Queries,
  input: { readonly runId: string; readonly inFlight: readonly string[]; readonly limit: number },
): Promise<ReadyStoriesResult> {
  const stories = await scheduledStories(database, input.runId);
  const inFlight = new Set(input.inFlight);
  const ready = readyOf(stories, inFlight).slice(0, Math.max(0, input.limit));
  return {
    ready: ready.map((story) => ({
      storyId: story.storyId,
      title: shortTitle(story.title),
      attempt: story.attempts + 1,
      tries: story.tries,
      verificationSteps: story.verificationSteps,
    })),
    total: stories.length,
    passed: stories.filter((story) => story.status === 'passed').length,
    open: stories.filter((story) => isOpen(story, inFlight)).length,
  };
}

/** Never ends in half a surrogate pair. */
function shortTitle(title: string): string {
  return title.slice(0, titleCharacters).replace(/[\uD800-\uDBFF]$/, '');
}
