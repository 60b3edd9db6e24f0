import { stat } from 'node:fs/promises';
import type { OpenTurnResult, SessionActivities } from '../../domain/contracts/activities.ts';
import type { BlobStore, SessionRunStore, WorkspaceStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { sessionAgentId, workspaceId } from '../../domain/run/ids.ts';
import { folderInstructions } from '../instructions.ts';
import { agentNotice, buildSessionPrompt } from './prompt.ts';

export interface SessionActivitiesDeps {
  readonly store: Pick<SessionRunStore, 'getSessionRun' | 'openTurn'> &
    Pick<BlobStore, 'getBlob'> &
    Pick<WorkspaceStore, 'putWorkspace'>;
  readonly hostId: string;
}

/** See {@link SessionActivities}. */
export function createSessionActivities({ store, hostId }: SessionActivitiesDeps) {
  return {
    openTurn: async ({ sessionId, messageId, text, agent, model }): Promise<OpenTurnResult> => {
      const [session, said] = await Promise.all([store.getSessionRun(sessionId), store.getBlob(text)]);
      if (session === undefined || said === undefined)
        throw new CodetetherError('not-found', `There is no session ${sessionId}, or its message is gone.`);
      const { folder } = session;
      const isThere = (await stat(folder).catch(() => undefined))?.isDirectory() === true;
      const instructions = isThere ? await folderInstructions(folder) : [];
      const opened = await store.openTurn({
        sessionId,
        messageId,
        systemPrompt: buildSessionPrompt({ folder, instructions }),
        agentNotice: agentNotice(agent),
        text: said,
        agent,
        model,
      });
      if (opened.kind === 'answered') return opened;
      if (!isThere) {
        const message = `the session's folder is gone: ${folder}`;
        return { ...opened, problem: { code: 'workspace-failed', message } };
      }
      await store.putWorkspace({
        workspaceId: workspaceId(sessionId, sessionAgentId),
        kind: 'folder',
        runId: sessionId,
        storyId: sessionAgentId,
        hostId,
        path: folder,
        branch: '',
        base: '',
        checkpoint: '',
        attempt: opened.turn,
        lease: 0,
        remote: null,
      });
      return opened;
    },
  } satisfies SessionActivities;
}
