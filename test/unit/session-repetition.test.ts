import { expect, test } from 'vitest';
import { mayRepeat, repeatsOf } from '../../domain/session/repetition.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';

/** Each turn is a list of `[name, args, output]`; an output of null is still missing. */
function transcript(...turns: (readonly (readonly [string, object, string | null])[])[]): SessionEvent[] {
  const rows: Omit<SessionEvent, 'seq'>[] = [{ kind: 'user', body: { text: 'go' } }];
  for (const [turn, calls] of turns.entries()) {
    const toolCalls = calls.map(([name, args], index) => ({ id: `${turn}-${index}`, name, args }));
    rows.push({ kind: 'assistant', body: { text: `turn ${turn}`, toolCalls } });
    // Reads side by side end in any order.
    for (const [index, [tool, , output]] of [...calls.entries()].toReversed())
      if (output !== null)
        rows.push({ kind: 'tool-result', body: { callId: `${turn}-${index}`, tool, ok: true, output } });
  }
  return rows.map((row, index) => ({ seq: index + 1, ...row }) as SessionEvent);
}

const read = ['read', { path: 'a.ts', limit: 5 }, 'text'] as const;
const test1 = ['bash', { command: 'npm test' }, 'red'] as const;

test.each<[string, SessionEvent[], number]>([
  ['one call', transcript([read]), 1],
  ['the same call three times', transcript([read], [read], [read]), 3],
  ['the same keys in another order', transcript([read], [['read', { limit: 5, path: 'a.ts' }, 'text']]), 2],
  ['other arguments', transcript([read], [['read', { path: 'b.ts', limit: 5 }, 'text']]), 1],
  ['something else in between', transcript([read], [read], [test1], [read]), 1],
  ['two calls that take turns', transcript([read], [test1], [read], [test1], [read], [test1]), 3],
  ['a whole turn of two calls', transcript([read, test1], [read, test1], [read, test1]), 3],
  [
    'the same result but for its time',
    transcript([['bash', { command: 'npm test' }, 'red in 1.2s']], [['bash', { command: 'npm test' }, 'red in 3.4s']]),
    2,
  ],
  [
    'looking at something that changes',
    transcript(
      [['bash', { command: 'tail log' }, '10% done']],
      [['bash', { command: 'tail log' }, '20% done']],
      [['bash', { command: 'tail log' }, '30% done']],
    ),
    1,
  ],
  ['a result that is missing', transcript([read, test1], [read, ['bash', { command: 'npm test' }, null]]), 0],
  ['no call at all', transcript([read], []), 0],
])('%s: %#', (_, rows, repeats) => {
  expect(repeatsOf(rows)).toBe(repeats);
});

test('only calls that were asked for one or two turns ago can repeat', () => {
  const asked = ['read', { path: 'a.ts', limit: 5 }, null] as const;
  expect(mayRepeat(transcript([read], [asked]))).toBe(true);
  expect(mayRepeat(transcript([read], [test1], [asked]))).toBe(true);
  expect(mayRepeat(transcript([read], [test1], [test1], [asked]))).toBe(false);
  expect(mayRepeat(transcript([asked]))).toBe(false);
});
