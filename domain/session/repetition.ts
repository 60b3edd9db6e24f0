import { withoutTimes } from '../run/fingerprint.ts';
import type { SessionEvent } from './transcript.ts';

/** So many times the same, and the model is told. */
export const repeatsToTell = 3;
/** So many times the same, and the attempt ends. */
export const repeatsToEnd = 5;

/** Turns that can make up one circle: A, A, A or A, B, A, B. */
const longestCircle = 2;

/**
 * How many times in a row the newest turn's tool calls gave the same results for the same arguments, alone or taking turns with
 * another turn's. 1 when it is new; 0 while results of the newest turn are missing. Texts of the model and times in
 * results do not count; a result that changes does, so waiting for something by looking at it is no repetition.
 * @param rows the end of a transcript, or all of it
 */
export function repeatsOf(rows: readonly SessionEvent[]): number {
  const turns = turnsOf(rows);
  if (turns.at(-1) === undefined) return 0;
  let most = 1;
  for (let length = 1; length <= longestCircle; length++) {
    let same = 0;
    while (isSame(turns, same, length)) same++;
    // A whole circle more for each `length` turns that are as they were one circle before.
    most = Math.max(most, 1 + Math.floor(same / length));
  }
  return most;
}

/** Cheap: whether the calls of the newest turn were asked for, with the same arguments, one or two turns before. */
export function mayRepeat(rows: readonly SessionEvent[]): boolean {
  const asked = rows.flatMap((row) => (row.kind === 'assistant' ? [callsOf(row.body.toolCalls)] : []));
  const newest = asked.at(-1);
  return newest !== undefined && asked.slice(-1 - longestCircle, -1).includes(newest);
}

/** What the model is told. */
export function repeatsNotice(repeats: number): string {
  return (
    `You have made this call, or this pair of calls, ${repeats} times with the same result. Doing it again will give the same ` +
    `result; at ${repeatsToEnd} times this attempt ends. Do something else: look at the cause, change the arguments, or finish.`
  );
}

function isSame(turns: readonly (string | undefined)[], fromEnd: number, distance: number): boolean {
  const turn = turns.at(-1 - fromEnd);
  return turn !== undefined && turn === turns.at(-1 - fromEnd - distance);
}

/** Each answer's calls with their results as one text, oldest first; undefined where a result is missing or nothing was called. */
function turnsOf(rows: readonly SessionEvent[]): (string | undefined)[] {
  const turns: (string | undefined)[] = [];
  for (const [index, row] of rows.entries()) {
    if (row.kind !== 'assistant') continue;
    const results = new Map<string, string>();
    for (const next of rows.slice(index + 1)) {
      if (next.kind === 'assistant') break;
      if (next.kind === 'tool-result')
        results.set(next.body.callId, withoutTimes(`${next.body.ok} ${next.body.output}`));
    }
    const { toolCalls } = row.body;
    const isWhole = toolCalls.length > 0 && toolCalls.every(({ id }) => results.has(id));
    turns.push(isWhole ? `${callsOf(toolCalls)}\n${toolCalls.map(({ id }) => results.get(id)).join('\n')}` : undefined);
  }
  return turns;
}

function callsOf(calls: readonly { readonly name: string; readonly args: unknown }[]): string {
  return JSON.stringify(calls.map(({ name, args }) => [name, canonical(args)]));
}

/** Keys in one order, whatever order the model wrote them in. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, canonical(entry)]),
  );
}
