import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  ForkRequest,
  MessageRequest,
  MessageResponse,
  RenameSessionRequest,
  SessionListView,
  SessionView,
  StartSessionRequest,
  SteerSessionRequest,
  TranscriptView,
  UndoRequest,
} from '../../domain/contracts/api.ts';
import { ContextView, PinResponse, ResetRequest, ResetResponse, TurnView } from '../../domain/contracts/context.ts';
import { runEventBodies } from '../../domain/run/events.ts';
import { readEvents } from './read-events.ts';
import { EventPage, eventPage } from './run-tools.ts';
import { SessionInput, mcpTool, waitMs } from './tool.ts';
import type { McpCall, McpTool } from './tool.ts';
import { waitForTurn } from './waiting.ts';

/** Null: the turn has not ended yet. */
const Turn = z.object({ turn: runEventBodies['turn-ended'].nullable() });
const Answered = MessageResponse.extend(Turn.shape);

async function answered(call: McpCall, sent: MessageResponse, ms: number): Promise<z.input<typeof Answered>> {
  const turn = { sessionId: sent.session.sessionId, messageId: sent.messageId, afterSeq: sent.afterSeq };
  return { ...sent, turn: ms === 0 ? null : await waitForTurn(call, turn, ms) };
}

const start = mcpTool({
  name: 'start_session',
  title: 'Start a session with an agent',
  description:
    'Gives an agent that works in a folder its first message. With waitMs the answer is waited for; else, or when it takes longer, wait_for_turn gives it.',
  input: StartSessionRequest.extend({ waitMs: waitMs.default(0) }),
  output: Answered,
  effect: 'work',
  permission: 'runs:write',
  run: async ({ waitMs: ms, ...request }, call) =>
    await answered(call, await call.client.startSession({ messageId: randomUUID(), ...request }), ms),
});

const send = mcpTool({
  name: 'send_message',
  title: 'Send a message to a session',
  description:
    'A further message to the agent; it is worked on after those before it. The same messageId twice is one message.',
  input: SessionInput.extend(MessageRequest.shape).extend({ waitMs: waitMs.default(0) }),
  output: Answered,
  effect: 'work',
  permission: 'runs:write',
  run: async ({ sessionId, waitMs: ms, ...request }, call) =>
    await answered(call, await call.client.sendMessage(sessionId, { messageId: randomUUID(), ...request }), ms),
});

const wait = mcpTool({
  name: 'wait_for_turn',
  title: "Wait for an agent's answer",
  description:
    'Waits until the turn of a message has ended or waitMs are over, and reports progress. Giving up the wait does not touch the turn; a further call finds it. interrupt_session ends a turn.',
  input: SessionInput.extend({
    messageId: z.string().min(1).max(100).describe('As start_session or send_message gave it'),
    afterSeq: z.number().int().nonnegative().default(0).describe('As start_session or send_message gave it'),
    waitMs: waitMs.default(50_000),
  }),
  output: Turn,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ waitMs: ms, ...turn }, call) => ({ turn: await waitForTurn(call, turn, ms) }),
});

const list = mcpTool({
  name: 'list_sessions',
  title: 'List sessions',
  description: 'Sessions, the one that was used last first.',
  input: z.strictObject({
    limit: z.number().int().positive().max(500).default(20),
    folder: z.string().min(1).optional().describe('Only those that work in it; absolute'),
  }),
  output: SessionListView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ limit, folder }, { client }) =>
    await client.listSessions({ limit, ...(folder === undefined ? {} : { folder }) }),
});

const get = mcpTool({
  name: 'get_session',
  title: 'Look at a session',
  description: 'One session: status, folder, model, agent, what it has spent.',
  input: SessionInput,
  output: SessionView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ sessionId }, { client }) => await client.getSession(sessionId),
});

const transcript = mcpTool({
  name: 'get_transcript',
  title: 'Read a transcript',
  description: 'What was said and done in a session: the newest rows, or those after one that was seen.',
  input: SessionInput.extend({
    agent: z
      .string()
      .min(1)
      .max(300)
      .optional()
      .describe("Of an agent that the session's own has started: scout, scout/helper"),
    afterSeq: z.number().int().nonnegative().optional().describe('Only rows after this one; else the newest'),
    limit: z.number().int().positive().max(200).default(30),
  }),
  output: TranscriptView.extend({ rowsInAll: z.number() }),
  effect: 'read',
  permission: 'runs:read',
  run: async ({ sessionId, agent, afterSeq, limit }, { client }) => {
    const { rows } = await client.transcript(sessionId, agent);
    const shown =
      afterSeq === undefined ? rows.slice(-limit) : rows.filter(({ seq }) => seq > afterSeq).slice(0, limit);
    return { rows: shown, rowsInAll: rows.length };
  },
});

const events = mcpTool({
  name: 'get_session_events',
  title: "Read a session's events",
  description: 'What has happened in a session, in order, after an event that was seen; does not wait for more.',
  input: SessionInput.extend(eventPage),
  output: EventPage,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ sessionId, ...page }, { client, signal }) => {
    const { headSeq } = await client.getSession(sessionId);
    return await readEvents((options) => client.sessionEvents(sessionId, { ...options, signal }), { ...page, headSeq });
  },
});

const steer = mcpTool({
  name: 'steer_session',
  title: 'Tell the agent at work something',
  description: 'The agent is told before its next step; a session that is idle has none.',
  input: SessionInput.extend(SteerSessionRequest.shape),
  output: SessionView,
  effect: 'change',
  permission: 'runs:write',
  run: async ({ sessionId, text }, { client }) => await client.steerSession(sessionId, text),
});

const interrupt = mcpTool({
  name: 'interrupt_session',
  title: 'Interrupt a session',
  description: 'Ends the turn under way.',
  input: SessionInput,
  output: SessionView,
  effect: 'remove',
  permission: 'runs:write',
  run: async ({ sessionId }, { client }) => await client.interrupt(sessionId),
});

const fork = mcpTool({
  name: 'fork_session',
  title: 'Fork a session',
  description: 'A new session that begins with what was said, without the last dropTurns turns.',
  input: SessionInput.extend(ForkRequest.shape),
  output: SessionView,
  effect: 'change',
  permission: 'runs:write',
  run: async ({ sessionId, ...request }, { client }) => await client.forkSession(sessionId, request),
});

const undo = mcpTool({
  name: 'undo_turns',
  title: 'Take turns back',
  description:
    'The last turns of the session do not count any more; files stay as they are. redo_turns takes that back.',
  input: SessionInput.extend(UndoRequest.shape),
  output: SessionView,
  effect: 'change',
  permission: 'runs:write',
  run: async ({ sessionId, turns }, { client }) => await client.undoTurns(sessionId, turns),
});

const redo = mcpTool({
  name: 'redo_turns',
  title: 'Let turns count again',
  description: 'What undo_turns took back counts again.',
  input: SessionInput,
  output: SessionView,
  effect: 'change',
  permission: 'runs:write',
  run: async ({ sessionId }, { client }) => await client.redoTurns(sessionId),
});

const rename = mcpTool({
  name: 'rename_session',
  title: 'Rename a session',
  description: 'Gives the session a title.',
  input: SessionInput.extend(RenameSessionRequest.shape),
  output: SessionView,
  effect: 'change',
  repeatable: true,
  permission: 'runs:write',
  run: async ({ sessionId, title }, { client }) => await client.renameSession(sessionId, title),
});

const remove = mcpTool({
  name: 'delete_session',
  title: 'Delete a session',
  description: 'It is not listed any more.',
  input: SessionInput,
  output: SessionView,
  effect: 'remove',
  permission: 'runs:write',
  run: async ({ sessionId }, { client }) => await client.deleteSession(sessionId),
});

const context = mcpTool({
  name: 'get_context',
  title: "Look at a session's context",
  description: "What the session's next model call is sent: window, tokens, turns, what is pinned and left out.",
  input: SessionInput,
  output: ContextView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ sessionId }, { client }) => await client.context(sessionId),
});

const contextTurn = mcpTool({
  name: 'get_context_turn',
  title: 'Read one turn of a context',
  description: 'The rows of one turn of the session.',
  input: SessionInput.extend({ turn: z.number().int().positive() }),
  output: TurnView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ sessionId, turn }, { client }) => await client.contextTurn(sessionId, turn),
});

const pin = mcpTool({
  name: 'pin_context',
  title: 'Pin a turn or a row',
  description:
    'A turn, or the step that a row belongs to, is always sent to the model, or not any more. Give either turn or row.',
  input: SessionInput.extend({
    turn: z.number().int().positive().optional(),
    row: z.number().int().positive().optional(),
    pinned: z.boolean().default(true),
  }),
  output: PinResponse,
  effect: 'change',
  repeatable: true,
  permission: 'runs:write',
  run: async ({ sessionId, ...request }, { client }) => await client.pin(sessionId, request),
});

const reset = mcpTool({
  name: 'reset_context',
  title: 'Reset a context',
  description:
    'Nothing that came before is sent to the model any more, only a summary: the one given, or one that the model makes. The transcript stays.',
  input: SessionInput.extend(ResetRequest.shape),
  output: ResetResponse,
  effect: 'remove',
  permission: 'runs:write',
  run: async ({ sessionId, ...request }, { client }) => await client.resetContext(sessionId, request),
});

export const sessionTools: readonly McpTool[] = [
  start,
  send,
  wait,
  list,
  get,
  transcript,
  events,
  steer,
  interrupt,
  fork,
  undo,
  redo,
  rename,
  remove,
  context,
  contextTurn,
  pin,
  reset,
];
