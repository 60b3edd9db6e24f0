import type { AttemptRef, RunHooksInput, RunHooksResult, ToolCallRef } from '../domain/contracts/activities.ts';
import type { MessageHooks } from '../domain/contracts/session.ts';
import { isHooked } from '../domain/session/hook-points.ts';
import type { Host } from './policies.ts';

/** Commands of the user's or the project's around tool calls. */
export interface ToolHooks {
  /** Why the call may not be made; undefined: it may. */
  readonly before: (step: number, call: ToolCallRef) => Promise<string | undefined>;
  readonly after: (step: number, call: ToolCallRef) => Promise<void>;
}

export interface HookedSession {
  readonly host: Host;
  readonly attempt: AttemptRef;
  /** Its calls, or its turn, are what the hooks are about. */
  readonly sessionId: string;
  readonly hooks: MessageHooks | undefined;
}

export type HookOccasion = Pick<RunHooksInput, 'event' | 'step' | 'callId' | 'isLastRound'> & {
  readonly tool?: string;
};

/** Runs the hooks that hang on an occasion; nothing is scheduled where none does. */
export async function runHooks(
  { host, attempt, sessionId, hooks }: HookedSession,
  { tool, ...about }: HookOccasion,
): Promise<RunHooksResult> {
  if (hooks === undefined || !isHooked(hooks.points, about.event, tool)) return { kind: 'passed' };
  const summary = `hooks ${about.event}${tool === undefined ? '' : ` ${tool}`}`;
  return await host.hooks.runHooks.executeWithOptions({ summary }, [
    { ...attempt, sessionId, hooks: hooks.settings, ...about },
  ]);
}

export function toolHooks(session: HookedSession): ToolHooks {
  return {
    before: async (step, { id, name }) => {
      const result = await runHooks(session, { event: 'before-tool', step, callId: id, tool: name });
      return result.kind === 'denied' ? result.reason : undefined;
    },
    after: async (step, { id, name }) => {
      await runHooks(session, { event: 'after-tool', step, callId: id, tool: name });
    },
  };
}
