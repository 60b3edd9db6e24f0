import type { Lease } from '../../domain/contracts/activities.ts';
import type {
  RunRecord,
  RunStore,
  SessionStore,
  StoryRecord,
  WorkspaceRecord,
  WorkspaceStore,
} from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import type { Repositories } from './repository.ts';

export interface WorkspaceDeps {
  readonly store: Pick<RunStore, 'getRun' | 'getStory' | 'getStories'> &
    Pick<WorkspaceStore, 'getWorkspace' | 'putWorkspace' | 'deleteWorkspace'> &
    Pick<SessionStore, 'hasSessionEvent' | 'appendSessionEvents'>;
  /** The host that this process works for. */
  readonly hostId: string;
  /** Of the activity that is running; undefined in a run that is not shared. Absent: no run is. */
  readonly heldLease?: () => Lease | undefined;
  /** One for all activities of a process: it keeps two of them from working on one repository at the same time. */
  readonly repositories: Repositories;
}

/** Throws `not-found`. */
export async function requireRun(store: Pick<RunStore, 'getRun'>, runId: string): Promise<RunRecord> {
  const run = await store.getRun(runId);
  if (run === undefined) throw new CodetetherError('not-found', `There is no run ${runId}.`);
  return run;
}

/** Throws `not-found`. */
export async function requireStory(
  store: Pick<RunStore, 'getStory'>,
  ref: { readonly runId: string; readonly storyId: string },
): Promise<StoryRecord> {
  const story = await store.getStory(ref.runId, ref.storyId);
  if (story === undefined) throw new CodetetherError('not-found', `Run ${ref.runId} has no story ${ref.storyId}.`);
  return story;
}

/** Throws `workspace-failed` when the story has no workspace. */
export async function requireWorkspace(
  store: Pick<WorkspaceStore, 'getWorkspace'>,
  ref: { readonly runId: string; readonly storyId: string },
): Promise<WorkspaceRecord> {
  const workspace = await store.getWorkspace(workspaceId(ref.runId, ref.storyId));
  if (workspace !== undefined) return workspace;
  throw new CodetetherError('workspace-failed', `Story ${ref.storyId} has no workspace.`, {
    next: 'Start the run again; the workspace is made anew.',
  });
}
