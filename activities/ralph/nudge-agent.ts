import type { ProjectionActivities } from '../../domain/contracts/activities.ts';
import type { RunStore, SessionStore } from '../../domain/contracts/store.ts';

/** See {@link ProjectionActivities.nudgeAgent}. */
export function createNudgeAgent(
  store: Pick<SessionStore, 'appendSessionEvents'> & Pick<RunStore, 'appendRunEvents'>,
): ProjectionActivities['nudgeAgent'] {
  return async ({ runId, storyId, attempt, sessionId, nudgeId, text }) => {
    const key = `nudge:${nudgeId}`;
    const said = `A person who watches this work says:\n\n${text}`;
    await store.appendSessionEvents(sessionId, [{ key, kind: 'user', body: { text: said, aside: true } }]);
    await store.appendRunEvents(runId, [{ key, kind: 'agent-nudged', storyId, attempt, body: { text } }]);
  };
}
