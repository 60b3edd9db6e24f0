/**
 * `progress.txt`: one entry per finished attempt, in the form of codetether-agent.
 *
 * ```text
 *
 * ---
 *
 * ## Iteration 3 - US-002 (2026-08-02T12:04:31.000Z)
 *
 * **Status:** failed (attempt 1), gate-failed: test: 1 of 14 tests failed
 *
 * ### Summary
 * I wrote the parser. Learning: weekdays are relative to the next Monday.
 * ```
 */
import type { RunEvent } from '../run/events.ts';

export interface FinishedAttempt {
  /** Its place among the run's finished attempts, from 1. */
  readonly iteration: number;
  readonly storyId: string;
  readonly attempt: number;
  /** RFC 3339; together with the iteration it makes the heading unique. */
  readonly at: string;
  readonly status: string;
}

/** The kinds of event that {@link finishedAttempts} looks at. */
export const attemptEndKinds = ['attempt-failed', 'story-passed'] as const;

/** Attempts in the order in which they ended; numbers and order never change when further events follow. */
export function finishedAttempts(events: readonly RunEvent[]): FinishedAttempt[] {
  const finished: FinishedAttempt[] = [];
  for (const event of events) {
    if (event.storyId === null) continue;
    const common = { iteration: finished.length + 1, storyId: event.storyId, at: event.at };
    if (event.kind === 'attempt-failed') {
      const attempt = event.attempt ?? 1;
      const status = `failed (attempt ${attempt}), ${event.body.reason}: ${oneLine(event.body.message)}`;
      finished.push({ ...common, attempt, status });
    } else if (event.kind === 'story-passed') {
      const attempt = event.attempt ?? event.body.attempts;
      finished.push({
        ...common,
        attempt,
        status: `passed (attempt ${attempt}), commit ${event.body.commit.slice(0, 10)}`,
      });
    }
  }
  return finished;
}

/**
 * Attempts without an entry that came after the newest attempt with one: entries that the user took out stay out.
 * @param text null when there is no file yet
 */
export function attemptsToAppend(text: string | null, attempts: readonly FinishedAttempt[]): FinishedAttempt[] {
  const lines = new Set((text ?? '').split('\n').map((line) => line.trimEnd()));
  return attempts.slice(attempts.findLastIndex((attempt) => lines.has(heading(attempt))) + 1);
}

/**
 * The whole new text of the file. Where it ends in the beginning of the first entry (an append that was cut off), that
 * beginning is completed, not repeated.
 */
export function appendEntries(
  text: string | null,
  entries: readonly { readonly attempt: FinishedAttempt; readonly summary: string }[],
): string {
  const [first = '', ...others] = entries.map(({ attempt, summary }) => entryText(attempt, summary));
  const before = text ?? '';
  let torn = Math.min(before.length, first.length);
  while (torn > 0 && !before.endsWith(first.slice(0, torn))) torn -= 1;
  const kept = before.slice(0, before.length - torn);
  const gap = kept === '' || kept.endsWith('\n') ? '' : '\n';
  return [kept, gap, first, ...others].join('');
}

const maxSummaryLength = 20_000;

function entryText(attempt: FinishedAttempt, summary: string): string {
  const trimmed = summary.trim();
  const text =
    trimmed.length <= maxSummaryLength ? trimmed : `${trimmed.slice(0, maxSummaryLength).toWellFormed()}\n[… cut]`;
  return `\n---\n\n${heading(attempt)}\n\n**Status:** ${attempt.status}\n\n### Summary\n${text === '' ? '(no answer)' : text}\n`;
}

function heading({ iteration, storyId, at }: FinishedAttempt): string {
  return `## Iteration ${iteration} - ${storyId} (${at})`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 300).toWellFormed();
}

/** What agents noted for those after them: lines with "learned" or "Learning", oldest first, each once. */
export function learnings(text: string): string[] {
  const lines = text
    .split('\n')
    .filter((line) => /\blearned\b|\bLearnings?\b/.test(line))
    .map((line) =>
      line
        .trim()
        .replace(/^(?:[-*+]|\d+\.)\s+/, '')
        .trim(),
    )
    .filter((line) => !/^#*\s*\**Learnings?\**:?\**$/.test(line));
  return [...new Set(lines)];
}
