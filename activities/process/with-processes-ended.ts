import type { AttemptRef, HostActivities } from '../../domain/contracts/activities.ts';
import { workspaceId } from '../../domain/run/ids.ts';

/** What looks at a workspace as its attempt has left it, makes it anew, or takes it away. */
type Closing = Pick<
  HostActivities,
  'prepareWorkspace' | 'inspectChange' | 'commitStory' | 'removeWorkspace' | 'recoverToolCall'
>;

export interface LivingProcesses {
  readonly endAll: (workspaceId: string) => Promise<void>;
}

/** Ends what runs in a story's workspace between its calls. Resolves when it is over. */
export async function endProcesses(
  processes: readonly LivingProcesses[],
  { runId, storyId }: { readonly runId: string; readonly storyId?: string | undefined },
): Promise<void> {
  if (storyId === undefined) return;
  const workspace = workspaceId(runId, storyId);
  await Promise.all(processes.map(({ endAll }) => endAll(workspace)));
}

/** The activities as they are, but before they begin nothing of the attempt runs in its workspace any more. */
export function withProcessesEnded<Activities extends Closing>(
  processes: readonly LivingProcesses[],
  activities: Activities,
): Activities {
  const first =
    <Input extends Pick<AttemptRef, 'runId' | 'storyId'>, Result>(activity: (input: Input) => Promise<Result>) =>
    async (input: Input): Promise<Result> => {
      await endProcesses(processes, input);
      return activity(input);
    };
  return {
    ...activities,
    prepareWorkspace: first(activities.prepareWorkspace),
    inspectChange: first(activities.inspectChange),
    commitStory: first(activities.commitStory),
    removeWorkspace: first(activities.removeWorkspace),
    recoverToolCall: first(activities.recoverToolCall),
  };
}
