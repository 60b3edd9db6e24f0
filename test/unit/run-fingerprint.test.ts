import { expect, test } from 'vitest';
import { fingerprintOf, normaliseFailure, withoutTimes } from '../../domain/run/fingerprint.ts';

test.each([
  ['gate test: 1 of 14 tests (parse.test.js)', 'gate test: <n> of <n> tests (parse.test.js)'],
  ['src/api/v2/user3.ts:14:7 expected 3, found 4', 'src/api/v2/user3.ts expected <n>, found <n>'],
  ['timed out after 1.25s at 2026-11-20T20:04:59.123Z', 'timed out after <duration> at <time>'],
  ['took 12 ms, then 3m, at 20:04:59', 'took <duration>, then <duration>, at <time>'],
  ['cannot read /tmp/vitest-8Zq/a.json: ENOENT', 'cannot read <temp>: ENOENT'],
  ['commit 3f2a9c01be is not on main', 'commit <hash> is not on main'],
  ['no row 0b5e3a56-6b0e-4b47-9f0a-0f6f2a1f5c11', 'no row <hash>'],
  ['defaced facade added', 'defaced facade added'],
])('%s', (summary, expected) => {
  expect(normaliseFailure(summary)).toBe(expected);
});

test('the same failure at another time on another tree has the same failure, and another tree', () => {
  const first = fingerprintOf({ reason: 'gate-failed', message: 'gate test: 3 tests failed in 1.2s', tree: 'aaa' });
  const second = fingerprintOf({ reason: 'gate-failed', message: 'gate test: 4 tests failed in 900ms', tree: 'bbb' });
  expect(first.failure).toMatch(/^[0-9a-f]{16}$/);
  expect(second).toEqual({ failure: first.failure, tree: 'bbb' });
});

test('another gate, another file or another reason is another failure', () => {
  const of = (reason: 'gate-failed' | 'max-steps', message: string) =>
    fingerprintOf({ reason, message, tree: '' }).failure;
  const failures = [
    of('gate-failed', 'gate test: a.test.js'),
    of('gate-failed', 'gate test: b.test.js'),
    of('gate-failed', 'gate lint: a.test.js'),
    of('max-steps', 'gate test: a.test.js'),
  ];
  expect(new Set(failures).size).toBe(4);
});

test('only times are taken out of a result, not its other numbers', () => {
  expect(withoutTimes('# pass 3\n# duration_ms 12.5\n10% done')).toBe('# pass 3\n# duration_ms <duration>\n10% done');
});
