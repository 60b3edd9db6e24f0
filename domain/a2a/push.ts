/** Push notifications of the A2A protocol: when what could not be delivered is tried again, and when not any more. */

/** How a receiver is told: as the version does by which it was registered. */
export const wireVersions = ['0.3', '1.0'] as const;
export type WireVersion = (typeof wireVersions)[number];

/** Most configs that a task can have. */
export const mostPushConfigs = 10;
/** So many dead letters in a row disable a config. */
export const deadLettersInARow = 3;
const mostAttempts = 10;
const firstWaitMs = 1_000;
const longestWaitMs = 5 * 60_000;
/** What a receiver asks for, at most. */
const longestAskedMs = 60 * 60_000;
/** Answers that say that it may go another time; so may all from 500 on. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * How long until the next attempt after so many that have failed; null: none is made. Jitter takes up to half of the wait away, so that
 * receivers that come back are not told everything at once.
 * @param failure.status null: there was no answer
 * @param random 0 to 1
 */
export function nextAttemptInMs(
  attempts: number,
  failure: { readonly status: number | null; readonly retryAfterMs?: number | undefined },
  random: number,
): number | null {
  const { status, retryAfterMs = 0 } = failure;
  const isPassing = status === null || status >= 500 || passing.has(status);
  if (!isPassing || attempts >= mostAttempts) return null;
  const waitMs = Math.min(firstWaitMs * 2 ** (attempts - 1), longestWaitMs);
  return Math.max(Math.round(waitMs * (1 - random / 2)), Math.min(retryAfterMs, longestAskedMs));
}
