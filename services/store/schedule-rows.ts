import { sql } from 'kysely';
import { z } from 'zod';
import type { ReadyStoriesResult } from '../../domain/contracts/activities.ts';
import { footprint, spreadOut } from '../../domain/ralph/overlap.ts';
import type { Footprint } from '../../domain/ralph/overlap.ts';
import { Story } from '../../domain/ralph/prd.ts';
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
/** Ready stories that are looked at for each scheduling besides those that could start. */
const comparedBeyondLimit = 100;
const shownHeld = 20;

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
  const { start, held } = await chooseStories(database, input, readyOf(stories, inFlight));
  return {
    held: held.slice(0, shownHeld),
    ready: start.map((story) => ({
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

/** The best that may start and are not likely to change the same files as others at the same time. */
async function chooseStories(
  database: Queries,
  input: { readonly runId: string; readonly inFlight: readonly string[]; readonly limit: number },
  ready: readonly ScheduledRow[],
): Promise<ReturnType<typeof spreadOut<ScheduledRow>>> {
  const { runId, inFlight, limit } = input;
  if (limit <= 0) return { start: [], held: [] };
  const candidates = ready.slice(0, limit + comparedBeyondLimit);
  const compared = [...inFlight, ...candidates.map((story) => story.storyId)];
  const footprints = compared.length < 2 ? new Map<string, Footprint>() : await footprintsOf(database, runId, compared);
  return spreadOut(candidates, { inFlight, footprints, limit });
}

async function footprintsOf(
  database: Queries,
  runId: string,
  storyIds: readonly string[],
): Promise<ReadonlyMap<string, Footprint>> {
  const rows = await database
    .selectFrom('story')
    .select(['story_id', 'story', 'files'])
    .where('run_id', '=', runId)
    .where('story_id', 'in', storyIds)
    .execute();
  return new Map(
    rows.map((row) => [
      row.story_id,
      footprint(row.story_id, Story.parse(row.story), z.array(z.string()).parse(row.files)),
    ]),
  );
}

/** Never ends in half a surrogate pair. */
function shortTitle(title: string): string {
  return title.slice(0, titleCharacters).replace(/[\uD800-\uDBFF]$/, '');
}
