import { expect, test } from 'vitest';
import { nextAttemptInMs } from '../../domain/a2a/push.ts';

const failed = { status: 500 };

test('waits double from a second up to five minutes, and the tenth attempt is the last', () => {
  const waits = Array.from({ length: 10 }, (_, index) => nextAttemptInMs(index + 1, failed, 0));
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, null]);
});

test('chance takes up to half of a wait away', () => {
  expect(nextAttemptInMs(3, failed, 0.5)).toBe(3000);
  expect(nextAttemptInMs(3, failed, 1)).toBe(2000);
});

test('what a receiver asks for counts where it is longer, up to an hour, and makes no further attempt', () => {
  expect(nextAttemptInMs(1, { status: 429, retryAfterMs: 60_000 }, 0)).toBe(60_000);
  expect(nextAttemptInMs(4, { status: 503, retryAfterMs: 1 }, 0)).toBe(8000);
  expect(nextAttemptInMs(1, { status: 503, retryAfterMs: 1e9 }, 0)).toBe(3_600_000);
  expect(nextAttemptInMs(10, { status: 503, retryAfterMs: 1000 }, 0)).toBeNull();
  expect(nextAttemptInMs(1, { status: 404, retryAfterMs: 1000 }, 0)).toBeNull();
});

test.each([null, 408, 425, 429, 500, 502, 503, 504, 599])('%s may pass', (status) => {
  expect(nextAttemptInMs(1, { status }, 0)).toBe(1000);
});

test.each([300, 301, 307, 400, 401, 403, 404, 409, 410, 413, 422])('%i does not pass', (status) => {
  expect(nextAttemptInMs(1, { status }, 0)).toBeNull();
});
