import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendEntries, attemptsToAppend, finishedAttempts, learnings } from '../../domain/ralph/progress.ts';
import type { RunEvent } from '../../domain/run/events.ts';

const at = '2026-08-02T12:04:31.000Z';
const failed = (seq: number, storyId: string, attempt: number): RunEvent => ({
  seq,
  at,
  storyId,
  attempt,
  kind: 'attempt-failed',
  body: { reason: 'gate-failed', message: 'test:\n 1 of 14', triesLeft: 2, durationMs: 5 },
});
const passed = (seq: number, storyId: string, attempt: number | null): RunEvent => ({
  seq,
  at,
  storyId,
  attempt,
  kind: 'story-passed',
  body: { commit: 'a1b2c3d4e5f60718', attempts: 2, durationMs: 5, tokens: 1, costUsd: 0, filesChanged: 1 },
});
const log: RunEvent[] = [
  failed(1, 'US-1', 1),
  { seq: 2, at, storyId: null, attempt: null, kind: 'warning', body: { message: 'x' } },
  passed(3, 'US-1', null),
  passed(4, 'US-2', 1),
];

test('an entry has the form of the original', () => {
  const [first, second] = finishedAttempts(log);
  if (first === undefined || second === undefined) throw new Error('no attempts');
  expect(
    appendEntries(null, [
      { attempt: first, summary: ' I tried.\n\nLearning: mind the gap. \n' },
      { attempt: second, summary: '' },
    ]),
  ).toBe(
    `
---

## Iteration 1 - US-1 (2026-08-02T12:04:31.000Z)

**Status:** failed (attempt 1), gate-failed: test: 1 of 14

### Summary
I tried.

Learning: mind the gap.

---

## Iteration 2 - US-1 (2026-08-02T12:04:31.000Z)

**Status:** passed (attempt 2), commit a1b2c3d4e5

### Summary
(no answer)
`,
  );
});

describe('which entries are missing', () => {
  const attempts = finishedAttempts(log);
  const entries = (count: number) =>
    attempts.slice(0, count).map((attempt) => ({ attempt, summary: `did ${attempt.iteration}` }));

  test('is told by the headings that are there', () => {
    expect(attemptsToAppend(null, attempts)).toEqual(attempts);
    expect(attemptsToAppend(appendEntries(null, entries(2)), attempts)).toEqual(attempts.slice(2));
    expect(attemptsToAppend(appendEntries(null, entries(3)), attempts)).toEqual([]);
  });

  test('does not bring back what the user took out or wrote over', () => {
    const text = appendEntries(null, entries(2))
      .replace(/\n---[^]*?(?=\n---)/, '')
      .replace('did 2', 'mine');
    expect(text).not.toContain('Iteration 1');
    expect(attemptsToAppend(text, attempts).map(({ iteration }) => iteration)).toEqual([3]);
  });

  test('survives CRLF and a file of the user’s own', () => {
    const own = '# My notes\nno end of line';
    const text = appendEntries(own, entries(1));
    expect(text.startsWith(`${own}\n\n---\n`)).toBe(true);
    expect(attemptsToAppend(text.replaceAll('\n', '\r\n'), attempts)).toHaveLength(2);
  });

  test('is not confused by an agent that quotes a heading in a sentence', () => {
    expect(attemptsToAppend('see ## Iteration 1 - US-1 (2026-08-02T12:04:31.000Z) above', attempts)).toEqual(attempts);
  });

  test('an append that was cut off anywhere is completed to the same file', () => {
    const before = '# notes\n';
    const whole = appendEntries(before, entries(3));
    const two = appendEntries(before, entries(2));
    fc.assert(
      fc.property(fc.integer({ min: two.length, max: whole.length - 1 }), (length) => {
        const torn = whole.slice(0, length);
        const missing = attemptsToAppend(torn, attempts);
        // Once the heading is whole the entry counts as there: its text may be the user's.
        if (missing.length === 1)
          expect(
            appendEntries(
              torn,
              missing.map((attempt) => ({ attempt, summary: `did ${attempt.iteration}` })),
            ),
          ).toBe(whole);
        else expect(torn).toContain('## Iteration 3 - US-2 (2026-08-02T12:04:31.000Z)');
      }),
    );
  });
});

test('learnings are lines that say so, each once', () => {
  expect(
    learnings(`
### Summary
I did it. I learned that tests run in band.
- Learning: dates are UTC
  * Learning: dates are UTC
## Learnings
**Learnings:**
learning by doing is no learning line
1. **Learning:** mock nothing
relearned nothing
`),
  ).toEqual(['I did it. I learned that tests run in band.', 'Learning: dates are UTC', '**Learning:** mock nothing']);
});

test('a long reply is cut', () => {
  const [first] = finishedAttempts(log);
  if (first === undefined) throw new Error('no attempts');
  const text = appendEntries('', [{ attempt: first, summary: '😀'.repeat(20_001) }]);
  expect(text.length).toBeLessThan(20_300);
  expect(text).toContain('[… cut]');
  expect(text.isWellFormed()).toBe(true);
});
