import { z } from 'zod';
import type { WorkspaceActivities } from '../../domain/contracts/activities.ts';
import type { EffectStore } from '../../domain/contracts/store.ts';
import { commitKey, mergeKey, removalKey } from '../../domain/run/ids.ts';
import { ledgered } from './ledger.ts';

const Committed = z.object({
  kind: z.literal('committed'),
  commit: z.string(),
  filesChanged: z.number(),
  files: z.array(z.string()),
});
const Advanced = z.object({ kind: z.literal('advanced') });
const Nothing = z.null().transform((): void => undefined);

/** The activities with those among them in the ledger that change a repository for good. */
export function withEffectLedger(
  store: Pick<EffectStore, 'beginEffect' | 'settleEffect'>,
  activities: WorkspaceActivities,
): WorkspaceActivities {
  return {
    ...activities,
    commitStory: ledgered(
      store,
      {
        kind: 'commit',
        identify: (input) => ({ key: commitKey(input), runId: input.runId, storyId: input.storyId }),
        frozen: Committed,
      },
      activities.commitStory,
    ),
    advanceBranch: ledgered(
      store,
      {
        kind: 'merge',
        identify: ({ runId, commit }) => ({ key: mergeKey(runId, commit), runId, storyId: null }),
        frozen: Advanced,
      },
      activities.advanceBranch,
    ),
    removeWorkspace: ledgered(
      store,
      {
        kind: 'worktree-removal',
        identify: (input) => ({ key: removalKey(input), runId: input.runId, storyId: input.storyId }),
        frozen: Nothing,
      },
      activities.removeWorkspace,
    ),
  };
}
