import { z } from 'zod';
import type { SessionProjections } from '../../domain/contracts/activities.ts';
import type { RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { toolCallKey } from '../../domain/run/ids.ts';
import type { RequestedToolCall, SessionEvent } from '../../domain/session/transcript.ts';

type AgentCallStore = Pick<SessionStore, 'readSession' | 'appendSessionEvents'> & Pick<RunStore, 'appendRunEvents'>;

const Task = z.object({ task: z.string() });
const answerCharacters = 30_000;
const labelCharacters = 100;
/** What it has changed is seen in the folder. */
const did = { files: [], commands: [] };

/** See {@link SessionProjections}. */
export function createAgentCalls(store: AgentCallStore): Pick<SessionProjections, 'openAgent' | 'closeAgent'> {
  return {
    openAgent: async ({ sessionId, parentSessionId, callId, runId, storyId, attempt, step, readsOnly }) => {
      const rows = await store.readSession(parentSessionId);
      const { task } = Task.parse(requireCall(rows, callId).args);
      const system = rows.find((row) => row.kind === 'system');
      const rule = readsOnly ? ' You have the tools that read, and no other.' : '';
      const text = `Another agent that works in the same files has given you this task. You answer to it alone, with all that it has to know.${rule}\n\n${task}`;
      await store.appendSessionEvents(sessionId, [
        { key: `${sessionId}:system`, kind: 'system', body: { text: system?.body.text ?? '' } },
        { key: `${sessionId}:task`, kind: 'user', body: { text } },
      ]);
      const key = `${toolCallKey(parentSessionId, step, callId)}:start`;
      const body = { step, label: labelOf(task) };
      await store.appendRunEvents(runId, [{ key, kind: 'step-started', storyId, attempt, body }]);
    },
    closeAgent: async ({
      readsOnly,
      sessionId,
      parentSessionId,
      callId,
      runId,
      storyId,
      attempt,
      step,
      end,
      message,
      durationMs,
    }) => {
      const [parent, own] = await Promise.all([
        store.readSession(parentSessionId),
        store.readSession(sessionId, { last: 8 }),
      ]);
      const call = requireCall(parent, callId);
      const ok = end === 'finished';
      const answer = own.findLast((row) => row.kind === 'assistant')?.body.text ?? '';
      const output = ok
        ? answer.slice(0, answerCharacters).toWellFormed()
        : `error: the agent did not finish (${end}): ${message}. What it has changed is there; look before you go on.`;
      const key = toolCallKey(parentSessionId, step, callId);
      await store.appendSessionEvents(parentSessionId, [
        { key, kind: 'tool-result', body: { callId, tool: call.name, ok, output, ...(readsOnly ? {} : { did }) } },
      ]);
      const task = Task.safeParse(call.args).data?.task ?? '';
      const body = { step, tool: call.name, label: labelOf(task), ok, durationMs };
      await store.appendRunEvents(runId, [{ key: `${key}:end`, kind: 'tool-ended', storyId, attempt, body }]);
    },
  };
}

function labelOf(task: string): string {
  return `agent ${task.replace(/\s+/g, ' ').trim()}`.slice(0, labelCharacters).toWellFormed();
}

/** @throws `internal` when it is not there: the workflow asks for calls of the transcript only */
export function requireCall(rows: readonly SessionEvent[], callId: string): RequestedToolCall {
  for (const row of rows.toReversed()) {
    const call = row.kind === 'assistant' ? row.body.toolCalls.find(({ id }) => id === callId) : undefined;
    if (call !== undefined) return call;
  }
  throw new CodetetherError('internal', `there is no tool call ${callId}`);
}
