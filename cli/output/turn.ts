import type { RunEvent, RunEventBody } from '../../domain/run/events.ts';
import { waitingText } from '../../domain/run/board.ts';
import { agentEndText } from './plain.ts';
import { formatCost, formatDuration, formatTokens } from './format.ts';
import { answerCommands, answeredLine, withoutOne } from './questions.ts';
import { snakeKeys } from './stream-json.ts';
import { inSigns } from './signs.ts';
import { paint } from './terminal.ts';
import type { Look } from './terminal.ts';
import { cleanLine, counted } from './text.ts';

/** One event of a turn as a line for whoever watches; undefined for what is not worth one. */
export function turnLine(
  event: RunEvent,
  { look, nowMs }: { readonly look: Look; readonly nowMs: number },
): string | undefined {
  const text = isAmong(event, shownKinds) ? lineOf(event, look, nowMs) : undefined;
  return text === undefined ? undefined : inSigns(text, look.signs);
}

const shownKinds = [
  'model-answered',
  'tool-ended',
  'tool-interrupted',
  'model-waiting',
  'approval-requested',
  'approval-answered',
  'agent-started',
  'agent-ended',
  'agent-nudged',
  'worker-recovered',
  'warning',
] as const;

const objectKinds = [
  'turn-started',
  'model-answered',
  'step-started',
  'tool-ended',
  'tool-interrupted',
  'model-waiting',
  'agent-started',
  'agent-ended',
  'turn-ended',
] as const;

type EventOf<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>;

function isAmong<Kind extends RunEvent['kind']>(event: RunEvent, kinds: readonly Kind[]): event is EventOf<Kind> {
  return (kinds as readonly string[]).includes(event.kind);
}

function lineOf(event: EventOf<(typeof shownKinds)[number]>, look: Look, nowMs: number): string | undefined {
  switch (event.kind) {
    case 'model-answered':
      // What is said beside a tool call; the last answer is the result.
      return event.body.toolCalls.length === 0 || event.body.text === ''
        ? undefined
        : `${who(event.body, look)}${cleanLine(event.body.text)}`;
    case 'tool-ended': {
      const { ok, label, durationMs } = event.body;
      const sign = ok ? paint('✓', 'good', look) : paint('✗', 'bad', look);
      return `${sign} ${who(event.body, look)}${cleanLine(label)}${durationMs < 1_000 ? '' : ` ${paint(formatDuration(durationMs), 'dim', look)}`}`;
    }
    case 'tool-interrupted':
      return `${paint('⚠', 'warn', look)} ${who(event.body, look)}${event.body.tool} was interrupted; ${event.body.rerun ? 'it runs again' : 'the model was told'}`;
    case 'model-waiting':
      return `${paint('⏸', 'warn', look)} ${who(event.body, look)}${waitingText(event.body, nowMs)}`;
    case 'approval-requested': {
      const { question, expiresAt } = event.body;
      return `${paint('⏸', 'warn', look)} waits for an answer: ${cleanLine(question)}; ${answerCommands(event.body)}; ${withoutOne(event.body, expiresAt)}`;
    }
    case 'approval-answered':
      return answeredLine(event.body);
    case 'agent-started':
      return `● ${event.body.agent} starts: ${cleanLine(event.body.task)}`;
    case 'agent-ended':
      return `● ${cleanLine(agentEndText(event.body))}`;
    case 'agent-nudged':
      return `told: ${cleanLine(event.body.text)}`;
    case 'worker-recovered':
      return `${paint('⚠', 'warn', look)} the worker was lost and is back; the turn goes on`;
    case 'warning':
      return `${paint('⚠', 'warn', look)} ${cleanLine(event.body.message)}`;
  }
}

/** Before what an agent has done that the session's has started. */
function who({ agent }: { readonly agent?: string }, look: Look): string {
  return agent === undefined ? '' : `${paint(`${agent}:`, 'dim', look)} `;
}

/** The last line for people: `✓ 12s · 3 steps · 9.1k tokens · $0.01`. */
export function turnEndLine(body: RunEventBody<'turn-ended'>, look: Look): string {
  const { outcome, message, steps, inputTokens, outputTokens, costUsd, durationMs } = body;
  const tokens = inputTokens + outputTokens;
  const sign = outcome === 'completed' ? paint('✓', 'good', look) : paint('✗', 'bad', look);
  const sums = [formatDuration(durationMs), counted(steps, 'step'), `${formatTokens(tokens)} tokens`];
  const parts = [...sums, formatCost({ usd: costUsd, tokens })].join(' · ');
  const why = cleanLine(message);
  // One that has its answer can have something to say of agents that worked beside it.
  const what = outcome === 'completed' ? why : `${outcome}${why === '' ? '' : `: ${why}`}`;
  return inSigns(`${sign} ${[what, parts].filter((part) => part !== '').join(' · ')}`, look.signs);
}

function by({ agent }: { readonly agent?: string }): { readonly agent?: string } {
  return agent === undefined ? {} : { agent };
}

/**
 * One event of a turn as NDJSON objects (none for what programs do not need): `init`, `message`, `tool_use`, `tool_result`, `error`,
 * `agent_start`, `agent_end`, `result`. Each has `schema_version`, `run_id`, `seq` and `at`; two may share a `seq`. Read on with `--since-seq`.
 */
export function turnObjects(sessionId: string, event: RunEvent): readonly Readonly<Record<string, unknown>>[] {
  if (!isAmong(event, objectKinds)) return [];
  const frame = { schema_version: 1, run_id: sessionId, seq: event.seq, at: event.at };
  const of = (type: string, body: object) => ({ type, ...frame, ...body });
  switch (event.kind) {
    case 'turn-started': {
      const { turn, messageId, agent, model, text } = event.body;
      return [
        of('init', { session_id: sessionId, turn, message_id: messageId, agent, model }),
        of('message', { role: 'user', content: text }),
      ];
    }
    case 'model-answered': {
      const { text, step, inputTokens, outputTokens, costUsd } = event.body;
      const usage = { input_tokens: inputTokens, output_tokens: outputTokens, cost_usd: costUsd };
      return [of('message', { role: 'assistant', ...by(event.body), step, content: text, usage })];
    }
    case 'step-started':
      return event.body.label === 'thinking…'
        ? []
        : [of('tool_use', { ...by(event.body), step: event.body.step, label: event.body.label })];
    case 'tool-ended': {
      const { step, tool, label, ok, durationMs } = event.body;
      return [of('tool_result', { ...by(event.body), step, tool, label, ok, duration_ms: durationMs })];
    }
    case 'tool-interrupted':
      return [
        of('error', {
          ...by(event.body),
          code: 'interrupted',
          fatal: false,
          message: `${event.body.tool} was interrupted`,
        }),
      ];
    case 'model-waiting': {
      const { message, until, reason } = event.body;
      return [of('error', { ...by(event.body), code: reason, fatal: false, message, until })];
    }
    case 'agent-started': {
      const { agent, readsOnly, task } = event.body;
      return [of('agent_start', { agent, reads_only: readsOnly, task })];
    }
    case 'agent-ended': {
      const { agent, end, message, durationMs } = event.body;
      return [of('agent_end', { agent, end, message, duration_ms: durationMs })];
    }
    case 'turn-ended': {
      const { outcome, message, code, text, turn, messageId, steps, durationMs, changes, commands } = event.body;
      const { inputTokens, outputTokens, costUsd } = event.body;
      const failed = outcome === 'completed' ? [] : [of('error', { code: code ?? outcome, fatal: true, message })];
      const usage = { input_tokens: inputTokens, output_tokens: outputTokens, cost_usd: costUsd };
      const result = { turn, message_id: messageId, outcome, message, text, steps, duration_ms: durationMs, usage };
      const facts = { ...(changes && { changes }), ...(commands && { commands: snakeKeys(commands) }) };
      return [...failed, of('result', { session_id: sessionId, ...result, ...facts })];
    }
  }
}
