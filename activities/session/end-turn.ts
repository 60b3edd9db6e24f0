import type { EndTurnInput, SessionActivities } from '../../domain/contracts/activities.ts';
import type { BlobStore, SessionRunStore } from '../../domain/contracts/store.ts';
import type { TaskStore } from '../../domain/contracts/task-store.ts';
import { changesOf, toTurnFacts } from '../../domain/session/turn-facts.ts';
import type { FileChange, ToolDeeds, TurnFacts } from '../../domain/session/turn-facts.ts';
import type { Git } from '../workspace/git.ts';
import { diffSince } from './diff-since.ts';
import { changesSince, FolderState, ignoredAmong } from './folder-state.ts';

export interface EndTurnDeps {
  readonly store: Pick<SessionRunStore, 'getSessionRun' | 'turnDeeds' | 'endTurn'> &
    Pick<BlobStore, 'getBlob' | 'putBlob'> &
    Pick<TaskStore, 'openTasksOf'>;
  readonly git: Git;
}

/** See {@link SessionActivities.endTurn}. */
export function createEndTurn({ store, git }: EndTurnDeps): SessionActivities['endTurn'] {
  return async (input) => {
    await store.endTurn(input, await factsOf(input));
  };

  /** A turn that can have changed nothing has none, whatever others have done meanwhile. */
  async function factsOf({ sessionId, messageId, before }: EndTurnInput): Promise<TurnFacts> {
    const deeds = await store.turnDeeds(sessionId, messageId);
    if (deeds.length === 0) return {};
    const [session, state] = await Promise.all([
      store.getSessionRun(sessionId),
      before === undefined ? undefined : store.getBlob(before),
    ]);
    if (session === undefined || state === undefined) return toTurnFacts(changesOf(deeds), deeds);
    const then = FolderState.parse(JSON.parse(state));
    const changes = await changesIn(session.folder, then, deeds);
    const isTold = (await store.openTasksOf(sessionId)).length > 0;
    const diff = isTold ? await diffSince(git, session.folder, then, changes) : '';
    return { ...toTurnFacts(changes, deeds), ...(diff === '' ? {} : { diff: await store.putBlob(diff) }) };
  }

  /** What git sees, which knows what shell commands have done; of what it does not look at, what the tools say. */
  async function changesIn(
    folder: string,
    before: FolderState,
    deeds: readonly ToolDeeds[],
  ): Promise<readonly FileChange[]> {
    const told = changesOf(deeds);
    const seen = await changesSince(git, folder, before);
    if (seen === undefined) return told;
    const paths = new Set(seen.map(({ path }) => path));
    const further = told.filter(({ path }) => !paths.has(path));
    const ignored = await ignoredAmong(
      git,
      folder,
      further.map(({ path }) => path),
    );
    return [...seen, ...further.filter(({ path }) => ignored.has(path))];
  }
}
