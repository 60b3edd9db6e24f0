import { expect, test } from 'vitest';
import { problemsInARow } from '../../domain/session/answer-problems.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';

type Said = Omit<SessionEvent<'user' | 'assistant' | 'tool-result'>, 'seq'>;
const useless = { kind: 'assistant', body: { text: '', toolCalls: [], problem: 'empty' } } as const;
const useful = { kind: 'assistant', body: { text: 'I look.', toolCalls: [] } } as const;
const result = { kind: 'tool-result', body: { callId: 'a', tool: 'read', ok: false, output: 'no' } } as const;
const message = { kind: 'user', body: { text: 'go on' } } as const;
const notice = { kind: 'user', body: { text: 'mind the tests', aside: true } } as const;

test.each<readonly [string, number, readonly Said[]]>([
  ['none', 0, [message, useful]],
  ['those at the end, results and notices between them', 3, [useful, useless, result, useless, notice, useless]],
  ['not those before a useful one', 1, [useless, useless, useful, useless]],
  ['not those before what a person has said', 1, [useless, useless, message, useless]],
])('useless answers in a row: %s', (_, count, rows) => {
  expect(problemsInARow(rows.map((row, index) => ({ seq: index + 1, ...row }) as SessionEvent))).toBe(count);
});
