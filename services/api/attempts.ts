import type { AttemptView } from '../../domain/contracts/api.ts';
import type { RunStore } from '../../domain/contracts/store.ts';
import type { RunEvent } from '../../domain/run/events.ts';

const pageEvents = 1_000;

/** A story's attempts with what came of each, oldest first, as the run's events tell it. */
export async function attemptsOf(
  store: Pick<RunStore, 'readRunEvents'>,
  runId: string,
  storyId: string,
): Promise<AttemptView[]> {
  const attempts = new Map<number, AttemptView>();
  for (let afterSeq = 0; ;) {
    const events = await store.readRunEvents(runId, {
      afterSeq,
      limit: pageEvents,
      kinds: ['story-started', 'attempt-failed', 'story-passed'],
    });
    for (const event of events) {
      if (event.storyId === storyId && event.attempt !== null) note(attempts, event.attempt, event);
    }
    const last = events.at(-1);
    if (last === undefined || events.length < pageEvents) return [...attempts.values()];
    afterSeq = last.seq;
  }
}

function note(attempts: Map<number, AttemptView>, attempt: number, event: RunEvent): void {
  const known: AttemptView = attempts.get(attempt) ?? {
    attempt,
    outcome: 'unfinished',
    reason: null,
    message: '',
    startedAt: event.at,
    endedAt: null,
    durationMs: null,
    filesChanged: null,
  };
  if (event.kind === 'attempt-failed') {
    const { reason, message, durationMs } = event.body;
    attempts.set(attempt, { ...known, outcome: 'failed', reason, message, endedAt: event.at, durationMs });
  } else if (event.kind === 'story-passed') {
    const { durationMs, filesChanged } = event.body;
    attempts.set(attempt, { ...known, outcome: 'passed', endedAt: event.at, durationMs, filesChanged });
  } else attempts.set(attempt, known);
}
