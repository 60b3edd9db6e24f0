import { z } from 'zod';
import type {
  AgentRef,
  AnswerAgentCallInput,
  OpenAgentInput,
  SessionProjections,
} from '../../domain/contracts/activities.ts';
import type { BlobStore, ModelCallStore, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import { agentPath, toolCallKey, whoseStep } from '../../domain/run/ids.ts';
import type { NewSessionEvent, RequestedToolCall, SessionEvent } from '../../domain/session/transcript.ts';
import { cleanLine } from '../tools/output-text.ts';
import { agentWords } from './prompt.ts';

type AgentCallStore = Pick<SessionStore, 'readSession' | 'appendSessionEvents' | 'forkSession'> &
  Pick<RunStore, 'appendRunEvents'> &
  Pick<ModelCallStore, 'lastModelStep'> &
  Pick<BlobStore, 'getBlob'>;

/** What the calls say to another agent; the rest of their arguments is with the workflow. */
const Said = z.union([z.object({ task: z.string() }), z.object({ message: z.string() })]);
const answerCharacters = 30_000;
const labelCharacters = 100;
/** Rows at the end of a transcript among which its newest answer is. */
const tail = 8;

/** See {@link SessionProjections}. */
export function createAgentCalls(
  store: AgentCallStore,
): Pick<SessionProjections, 'openAgent' | 'closeAgent' | 'tellAgent' | 'answerAgentCall' | 'remindOfAgents'> {
  return {
    openAgent: async (input) => {
      const { sessionId, parentSessionId, callId, runId, storyId, attempt, step, readsOnly, beside } = input;
      const rows = await store.readSession(parentSessionId);
      const { row, call } = findCall(rows, callId);
      const task = saidIn(call);
      // Rows that are there stay: a further task finds the beginning, whatever the call says of it.
      if (beside?.forks === true)
        await store.forkSession(
          { sessionId: parentSessionId, seq: row.seq - 1 },
          { sessionId, kind: 'agent', model: input.model, agent: beside.agent },
        );
      await store.appendSessionEvents(sessionId, [
        ...(beside?.forks === true ? [] : [systemRow(sessionId, rows)]),
        await taskRow(input, task),
      ]);
      const frame = { storyId, attempt } as const;
      const event: NewRunEvent =
        beside === undefined
          ? {
              key: `${toolCallKey(parentSessionId, step, callId)}:start`,
              kind: 'step-started',
              ...frame,
              body: { ...whoseStep(parentSessionId), step, label: labelOf(task) },
            }
          : {
              key: `${sessionId}:started:${callId}`,
              kind: 'agent-started',
              ...frame,
              body: { agent: nameOf(sessionId), readsOnly, task: cleanLine(task, labelCharacters) },
            };
      await store.appendRunEvents(runId, [event]);
      return { firstStep: 1 + (await store.lastModelStep({ runId, sessionId })) };
    },

    closeAgent: async (input) => {
      const { sessionId, parentSessionId, callId, runId, storyId, attempt, step, end, message, durationMs } = input;
      const frame = { storyId, attempt } as const;
      if (input.isBeside) {
        const body = { agent: nameOf(sessionId), end, message, durationMs };
        await store.appendRunEvents(runId, [
          { key: `${sessionId}:ended:${callId}`, kind: 'agent-ended', ...frame, body },
        ]);
        return;
      }
      const call = requireCall(await store.readSession(parentSessionId), callId);
      const ok = end === 'finished';
      const output = ok
        ? (await answerOf(sessionId)).slice(0, answerCharacters).toWellFormed()
        : `error: ${unfinished('the agent', { end, message })}`;
      const key = toolCallKey(parentSessionId, step, callId);
      await store.appendSessionEvents(parentSessionId, [
        { key, kind: 'tool-result', body: { callId, tool: call.name, ok, output } },
      ]);
      const body = {
        ...whoseStep(parentSessionId),
        step,
        tool: call.name,
        label: labelOf(saidIn(call)),
        ok,
        durationMs,
      };
      await store.appendRunEvents(runId, [{ key: `${key}:end`, kind: 'tool-ended', ...frame, body }]);
    },

    tellAgent: async ({ sessionId, parentSessionId, callId }) => {
      const call = requireCall(await store.readSession(parentSessionId), callId);
      const text = `The agent that has started you says:\n\n${saidIn(call)}`;
      await store.appendSessionEvents(sessionId, [
        { key: `${sessionId}:told:${callId}`, kind: 'user', body: { text, aside: true } },
      ]);
    },

    answerAgentCall: async (input) => {
      const { runId, storyId, attempt, sessionId, step, callId, label, ok } = input;
      const call = requireCall(await store.readSession(sessionId), callId);
      const key = toolCallKey(sessionId, step, callId);
      const output = await withAnswers(input);
      await store.appendSessionEvents(sessionId, [
        { key, kind: 'tool-result', body: { callId, tool: call.name, ok, output } },
      ]);
      const tool = cleanLine(call.name, labelCharacters);
      const body = { ...whoseStep(sessionId), step, tool, label, ok, durationMs: input.durationMs };
      await store.appendRunEvents(runId, [{ key: `${key}:end`, kind: 'tool-ended', storyId, attempt, body }]);
    },

    remindOfAgents: async ({ sessionId, step, working, unread }) => {
      const parts = [
        working.length === 0
          ? ''
          : `Agents that you have started still work: ${working.join(', ')}. When you end now, they are interrupted.`,
        unread.length === 0 ? '' : `Agents have ended whose answers you have not looked at: ${unread.join(', ')}.`,
      ];
      const text = `${parts.filter((part) => part !== '').join(' ')} wait_agent gives their answers; end without it when you need none.`;
      await store.appendSessionEvents(sessionId, [
        { key: `${sessionId}:${step}:agents`, kind: 'user', body: { text, aside: true } },
      ]);
    },
  };

  async function taskRow(
    { sessionId, callId, readsOnly, beside }: OpenAgentInput,
    task: string,
  ): Promise<NewSessionEvent> {
    if (beside === undefined) {
      const rule = readsOnly ? ' You have the tools that read, and no other.' : '';
      return userRow(
        `${sessionId}:task`,
        `Another agent that works in the same files has given you this task. You answer to it alone, with all that it has to know.${rule}\n\n${task}`,
      );
    }
    const own = beside.prompt === undefined ? undefined : await store.getBlob(beside.prompt);
    const words = agentWords(beside.agent, own, { readsOnly });
    const who = beside.forks ? 'From here on you are' : 'You are';
    return userRow(
      `${sessionId}:task:${callId}`,
      `${who} the agent ${nameOf(sessionId)}, that works beside the one that has given you this task, in the same files. ${words}\n\nYou answer to it alone, with all that it has to know.\n\n${task}`,
    );
  }

  /** The newest one of a transcript. */
  async function answerOf(sessionId: string): Promise<string> {
    const rows = await store.readSession(sessionId, { last: tail });
    return rows.findLast((row) => row.kind === 'assistant')?.body.text ?? '';
  }

  async function withAnswers({ text, ended }: AnswerAgentCallInput): Promise<string> {
    const most = Math.floor((answerCharacters - text.length) / Math.max(1, ended.length)) - labelCharacters;
    const answers = await Promise.all(
      ended.map(async ({ sessionId, name, end, message }) => {
        if (end !== 'finished') return unfinished(name, { end, message });
        const answer = await answerOf(sessionId);
        const cut =
          answer.length > most ? `\n[… ${answer.length - most} more characters; followup_task can ask for them]` : '';
        return `${name} has answered:\n${answer.slice(0, most).toWellFormed()}${cut}`;
      }),
    );
    return [...answers, text].join('\n\n');
  }
}

function unfinished(who: string, { end, message }: { readonly end: string; readonly message: string }): string {
  const why = message === '' ? '' : `: ${message}`;
  return `${who} did not finish (${end})${why}. What it has changed is there; look before you go on.`;
}

function systemRow(sessionId: string, starter: readonly SessionEvent[]): NewSessionEvent {
  const system = starter.find((row) => row.kind === 'system');
  return { key: `${sessionId}:system`, kind: 'system', body: { text: system?.body.text ?? '' } };
}

function userRow(key: string, text: string): NewSessionEvent {
  return { key, kind: 'user', body: { text } };
}

function nameOf(sessionId: AgentRef['sessionId']): string {
  return agentPath(sessionId) ?? '';
}

function labelOf(task: string): string {
  return `agent ${task.replace(/\s+/g, ' ').trim()}`.slice(0, labelCharacters).toWellFormed();
}

/** The arguments were looked at before the call came to a workflow; some models send them as a text. */
function saidIn({ args }: RequestedToolCall): string {
  const said = Said.parse(typeof args === 'string' ? JSON.parse(args) : args);
  return 'task' in said ? said.task : said.message;
}

/** @throws `internal` when it is not there: the workflow asks for calls of the transcript only */
export function requireCall(rows: readonly SessionEvent[], callId: string): RequestedToolCall {
  return findCall(rows, callId).call;
}

function findCall(
  rows: readonly SessionEvent[],
  callId: string,
): { readonly row: SessionEvent; readonly call: RequestedToolCall } {
  for (const row of rows.toReversed()) {
    const call = row.kind === 'assistant' ? row.body.toolCalls.find(({ id }) => id === callId) : undefined;
    if (call !== undefined) return { row, call };
  }
  throw new CodetetherError('internal', `there is no tool call ${callId}`);
}
