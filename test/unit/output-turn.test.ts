import { expect, test } from 'vitest';
import { turnEndLine, turnLine, turnObjects } from '../../cli/output/turn.ts';
import { asciiSigns, unicodeSigns } from '../../cli/output/signs.ts';
import { transcriptLines, transcriptMarkdown } from '../../cli/output/transcript.ts';
import type { SessionView } from '../../domain/contracts/api.ts';
import type { RunEvent } from '../../domain/run/events.ts';

const look = { signs: unicodeSigns, color: false, columns: 80 };
const frame = { seq: 7, at: '2026-11-21T12:00:00.000Z', storyId: 'main', attempt: 1 } as const;
const ended = {
  turn: 1,
  messageId: 'm',
  outcome: 'completed',
  message: '',
  code: null,
  text: 'Done.',
  steps: 3,
  inputTokens: 9_000,
  outputTokens: 100,
  costUsd: 0.012,
  durationMs: 12_000,
} as const;

test('a failed tool call and a terminal escape are shown as what they are', () => {
  const event: RunEvent = {
    ...frame,
    kind: 'tool-ended',
    body: { step: 1, tool: 'bash', label: 'bash echo \u001B[2Jx', ok: false, durationMs: 1_500 },
  };
  const line = turnLine(event, { look, nowMs: 0 });
  expect(line).toMatch(/^✗ bash echo .*1\.5s$/);
  expect(line).not.toContain('\u001B');
  expect(turnLine(event, { look: { ...look, signs: asciiSigns }, nowMs: 0 })).toMatch(/^x bash/);
});

test('the last line says what it took, and why it ended where it did not complete', () => {
  expect(turnEndLine(ended, look)).toBe('✓ 12s · 3 steps · 9.1k tokens · $0.01');
  expect(turnEndLine({ ...ended, outcome: 'error', message: 'no key' }, look)).toMatch(/^✗ error: no key · 12s/);
});

test('each object of the stream has its schema version, run and seq; a failure comes before its result', () => {
  const body = { ...ended, outcome: 'error', code: 'provider-rejected', message: 'refused' } as const;
  const objects = turnObjects('session:x', { ...frame, kind: 'turn-ended', body });
  expect(objects).toMatchObject([
    { type: 'error', code: 'provider-rejected', fatal: true, schema_version: 1, run_id: 'session:x', seq: 7 },
    { type: 'result', outcome: 'error', usage: { input_tokens: 9_000 } },
  ]);
});

test('what an agent does that the session has started has its name, for people and for programs', () => {
  const body = { agent: 'scout/helper', step: 1, tool: 'read', label: 'read a.txt', ok: true, durationMs: 5 };
  const event: RunEvent = { ...frame, kind: 'tool-ended', body };
  expect(turnLine(event, { look, nowMs: 0 })).toBe('✓ scout/helper: read a.txt');
  expect(turnObjects('session:x', event)).toMatchObject([{ type: 'tool_result', agent: 'scout/helper', step: 1 }]);
  const end = { agent: 'scout', end: 'interrupted', message: '', durationMs: 0 } as const;
  const last: RunEvent = { ...frame, kind: 'agent-ended', body: end };
  expect(turnLine(last, { look, nowMs: 0 })).toBe('● scout ended: interrupted');
  expect(turnObjects('session:x', last)).toMatchObject([{ type: 'agent_end', agent: 'scout', end: 'interrupted' }]);
  const own: RunEvent = { ...frame, kind: 'step-started', body: { step: 1, label: 'read b.txt' } };
  expect(turnObjects('session:x', own)[0]).not.toHaveProperty('agent');
  const message = 'interrupted, since they still worked: scout';
  expect(turnEndLine({ ...ended, message }, look)).toBe(`✓ ${message} · 12s · 3 steps · 9.1k tokens · $0.01`);
});

const session: SessionView = {
  sessionId: 'session:x',
  status: 'completed',
  folder: '/work',
  hostId: 'h',
  title: 'a task',
  model: 'scripted/x',
  agent: 'build',
  parent: null,
  turns: 1,
  usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 },
  maxCostUsd: null,
  maxTokens: null,
  maxTotalSteps: null,
  spentUsd: 0,
  spentTokens: 0,
  reservedUsd: 0,
  message: '',
  createdAt: '2026-11-21T12:00:00.000Z',
  usedAt: '2026-11-21T12:00:00.000Z',
  headSeq: 2,
  uiUrl: null,
};
const rows = [
  { seq: 1, kind: 'system', body: { text: 'rules' } },
  { seq: 2, kind: 'user', body: { text: 'do it' } },
  { seq: 3, kind: 'assistant', body: { text: '', toolCalls: [{ id: 'a', name: 'bash', args: { command: 'ls' } }] } },
  { seq: 4, kind: 'tool-result', body: { callId: 'a', tool: 'bash', ok: true, output: '```\n2\n3\n4\n5\n6\n7\n' } },
  { seq: 5, kind: 'assistant', body: { text: 'Done.', toolCalls: [] } },
];

test('a transcript is shown without its prompt and with the beginning of results, or whole', () => {
  const short = transcriptLines(session, rows, { verbose: false, look });
  expect(short).toContain('    … 2 more lines');
  expect(short.join('\n')).not.toContain('rules');
  const whole = transcriptLines(session, rows, { verbose: true, look }).join('\n');
  expect(whole).toContain('rules');
  expect(whole).toContain('    7');
});

test('as Markdown a result cannot break out of its fence', () => {
  expect(transcriptMarkdown(session, rows)).toContain('````\n```\n2');
});
