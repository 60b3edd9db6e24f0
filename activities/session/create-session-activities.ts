import { stat } from 'node:fs/promises';
import type { FindAgentResult, OpenTurnResult, SessionActivities } from '../../domain/contracts/activities.ts';
import type { BlobStore, SessionRunStore, WorkspaceStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { sessionAgentId, workspaceId } from '../../domain/run/ids.ts';
import { builtInAgents, mayUse } from '../../domain/session/agents.ts';
import type { Extensions, Skill } from '../../domain/session/extensions.ts';
import type { Git } from '../workspace/git.ts';
import { folderInstructions } from '../instructions.ts';
import { createEndTurn } from './end-turn.ts';
import type { EndTurnDeps } from './end-turn.ts';
import { readFolderState } from './folder-state.ts';
import { agentWords, buildSessionPrompt } from './prompt.ts';

export interface SessionActivitiesDeps {
  readonly store: Pick<SessionRunStore, 'openTurn'> &
    EndTurnDeps['store'] &
    Pick<BlobStore, 'putBlob'> &
    Pick<WorkspaceStore, 'putWorkspace'>;
  readonly git: Git;
  readonly hostId: string;
  /** Skills for work in a folder. Throws `extension-invalid`. */
  readonly skills: (folder: string) => Promise<readonly Skill[]>;
  /** Agents for work in a folder, and the files of such that cannot be used. */
  readonly agents: (folder: string) => Promise<Pick<Extensions, 'agents' | 'problems'>>;
  readonly runHooks: SessionActivities['runHooks'];
}

/** See {@link SessionActivities}. */
export function createSessionActivities({ store, git, hostId, skills, agents, runHooks }: SessionActivitiesDeps) {
  return {
    runHooks,
    endTurn: createEndTurn({ store, git }),

    openTurn: async ({ sessionId, messageId, text, agent, agentPrompt, model, ...rules }): Promise<OpenTurnResult> => {
      const [session, said, own] = await Promise.all([
        store.getSessionRun(sessionId),
        store.getBlob(text),
        agentPrompt === undefined ? undefined : store.getBlob(agentPrompt),
      ]);
      if (session === undefined || said === undefined)
        throw new CodetetherError('not-found', `There is no session ${sessionId}, or its message is gone.`);
      const { folder } = session;
      const isThere = (await stat(folder).catch(() => undefined))?.isDirectory() === true;
      const [instructions, known, state] = await Promise.all([
        isThere ? folderInstructions(folder) : [],
        isThere && mayUse(rules, skillTool) ? skills(folder).catch(asProblem) : [],
        isThere && rules.readsOnly !== true ? readFolderState(git, folder) : undefined,
      ]);
      const words = agentWords(agent, own, rules);
      const opened = await store.openTurn({
        sessionId,
        messageId,
        systemPrompt: buildSessionPrompt({ folder, instructions, skills: 'code' in known ? [] : known }),
        agentNotice: `From here on you are the agent ${agent}. ${words}`,
        text: said,
        agent,
        model,
      });
      if (opened.kind === 'answered') return opened;
      if ('code' in known) return { ...opened, problem: known };
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
      return state === undefined ? opened : { ...opened, before: await store.putBlob(JSON.stringify(state)) };
    },

    findAgent: async ({ runId, agent }): Promise<FindAgentResult> => {
      const session = await store.getSessionRun(runId);
      // Those of files count in sessions only.
      const known =
        session === undefined ? { agents: [], problems: [] } : await agents(session.folder).catch(asProblem);
      if ('code' in known) return { kind: 'not-found', message: known.message.slice(0, mostReason) };
      const own = known.agents.find(({ name }) => name === agent);
      if (own === undefined) {
        const names = [...Object.keys(builtInAgents), ...known.agents.map(({ name }) => name)];
        const broken = known.problems.filter((problem) => problem.includes('/agents/'));
        const message = [`there is no agent ${agent}; there are: ${names.join(', ')}`, ...broken].join('; ');
        return { kind: 'not-found', message: message.slice(0, mostReason) };
      }
      const { readsOnly, tools, maxSteps, model, prompt } = own;
      return {
        kind: 'found',
        rules: { ...(readsOnly === true ? { readsOnly } : {}), ...(tools === undefined ? {} : { tools }) },
        maxSteps,
        ...(model === undefined ? {} : { model }),
        prompt: await store.putBlob(prompt),
      };
    },
  } satisfies SessionActivities;
}

const mostReason = 1_000;
const skillTool = { name: 'skill', risk: 'read' } as const;

/** A turn that cannot be worked on says why; the session goes on with the next. */
function asProblem(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (!(error instanceof CodetetherError)) throw error;
  return { code: error.code, message: [error.message, ...error.problems].join('; ').slice(0, 2_000) };
}
