/** Puts the hunks of a patch into a text. Pure. */
import { usesCrlf } from './edit-text.ts';
import type { Hunk } from './patch-text.ts';

export type AppliedHunks =
  | {
      readonly kind: 'applied';
      readonly text: string;
      /** What did not fit as it was written, for the model: other lines, blanks. */
      readonly notes: readonly string[];
    }
  /** Why the first hunk that does not fit does not. */
  | { readonly kind: 'refused'; readonly problem: string };

type Found =
  | { readonly kind: 'found'; readonly at: number; readonly count: number; readonly note: string }
  | { readonly kind: 'refused'; readonly problem: string };

/**
 * All hunks or none, in order, none over another. A hunk with a line number goes there when its lines are there, else to the
 * nearest place that has them; one without goes to the only place. Blanks at line ends may differ; the file's own
 * context lines stay as they are, and so do its line ends.
 */
export function applyHunks(text: string, hunks: readonly Hunk[]): AppliedHunks {
  const isCrlf = usesCrlf(text);
  const lines = text.split('\n').map((line) => (isCrlf && line.endsWith('\r') ? line.slice(0, -1) : line));
  let hasNewline = lines.at(-1) === '';
  if (hasNewline) lines.pop();
  const result: string[] = [];
  const notes: string[] = [];
  let cursor = 0;
  let drift = 0;
  for (const [index, given] of hunks.entries()) {
    const name = hunks.length === 1 ? 'the hunk' : `hunk ${index + 1}`;
    const [found, hunk] = findPlace(lines, given, { cursor, drift });
    if (found.kind === 'refused') return { kind: 'refused', problem: `${name} ${found.problem}` };
    if (found.note !== '') notes.push(`${name} ${found.note}`);
    if (hunk.line !== null) drift = found.at - (hunk.line - 1);
    result.push(...lines.slice(cursor, found.at), ...replaced(lines, hunk, found.at));
    cursor = found.at + found.count;
    if (cursor === lines.length && hunk.endsWithNewline !== null) hasNewline = hunk.endsWithNewline;
  }
  result.push(...lines.slice(cursor));
  const newline = isCrlf ? '\r\n' : '\n';
  const wasEmpty = text === '';
  const end = (hasNewline || wasEmpty) && result.length > 0 ? newline : '';
  return { kind: 'applied', text: result.join(newline) + end, notes };
}

function replaced(lines: readonly string[], hunk: Hunk, at: number): string[] {
  let own = at;
  return hunk.lines.flatMap(({ sign, text }) => {
    if (sign === '+') return [text];
    own += 1;
    return sign === ' ' ? [lines[own - 1] ?? text] : [];
  });
}

/** The place, and the hunk without an empty context line at its end that is none: what closes a patch is easily taken for one. */
function findPlace(
  lines: readonly string[],
  hunk: Hunk,
  where: { readonly cursor: number; readonly drift: number },
): [Found, Hunk] {
  const found = find(lines, hunk, where);
  const last = hunk.lines.at(-1);
  if (found.kind === 'found' || last?.sign !== ' ' || last.text !== '') return [found, hunk];
  const shorter = { ...hunk, lines: hunk.lines.slice(0, -1) };
  const second = find(lines, shorter, where);
  return second.kind === 'found' ? [second, shorter] : [found, hunk];
}

function find(
  lines: readonly string[],
  hunk: Hunk,
  { cursor, drift }: { readonly cursor: number; readonly drift: number },
): Found {
  const old = hunk.lines.filter(({ sign }) => sign !== '+').map(({ text }) => text);
  const start = hunk.below === null ? cursor : placeBelow(lines, hunk.below, cursor);
  if (start === undefined) return { kind: 'refused', problem: `is below a line that is not there: ${hunk.below}` };
  const expected = hunk.line === null ? undefined : hunk.line - 1 + drift;
  if (old.length === 0) return placeOfInsertion(lines, hunk, { start, expected, cursor });
  for (const [same, note] of [
    [(a: string, b: string) => a === b, ''],
    [(a: string, b: string) => a.trimEnd() === b.trimEnd(), 'differs in blanks at line ends'],
  ] as const) {
    const places = placesOf(lines, old, { start, same, isAtEnd: hunk.isAtEnd });
    const [first, second] = places;
    if (first === undefined) continue;
    if (expected !== undefined) return nearest(places, expected, { count: old.length, note });
    if (second !== undefined && hunk.below === null)
      return {
        kind: 'refused',
        problem: `fits at lines ${places
          .slice(0, 10)
          .map((at) => at + 1)
          .join(', ')}; give more lines around it, or the line above with @@`,
      };
    return { kind: 'found', at: first, count: old.length, note };
  }
  return { kind: 'refused', problem: mismatch(lines, old, expected ?? start) };
}

function placesOf(
  lines: readonly string[],
  old: readonly string[],
  search: { readonly start: number; readonly same: (a: string, b: string) => boolean; readonly isAtEnd: boolean },
): number[] {
  const places: number[] = [];
  for (let at = search.start; at + old.length <= lines.length; at += 1) {
    if (search.isAtEnd && at + old.length !== lines.length) continue;
    if (old.every((line, index) => search.same(lines[at + index] ?? '', line))) places.push(at);
  }
  return places;
}

function nearest(
  places: readonly number[],
  expected: number,
  { count, note }: { readonly count: number; readonly note: string },
): Found {
  const [best = 0, other] = places.toSorted((a, b) => Math.abs(a - expected) - Math.abs(b - expected));
  if (best !== expected && other !== undefined && Math.abs(other - expected) === Math.abs(best - expected))
    return { kind: 'refused', problem: `fits as well at line ${best + 1} as at line ${other + 1}` };
  const moved = best === expected ? '' : `was made at line ${best + 1}, not at ${expected + 1}`;
  return { kind: 'found', at: best, count, note: [moved, note].filter((part) => part !== '').join('; ') };
}

function placeBelow(lines: readonly string[], below: string, cursor: number): number | undefined {
  const after = (matches: (line: string) => boolean): number | undefined => {
    const at = lines.findIndex((line, index) => index >= cursor && matches(line));
    return at === -1 ? undefined : at;
  };
  const wanted = below.trim();
  // The line itself may be the first of the hunk's own.
  return after((line) => line.trim() === wanted) ?? after((line) => line.includes(wanted));
}

function placeOfInsertion(
  lines: readonly string[],
  hunk: Hunk,
  where: { readonly start: number; readonly expected: number | undefined; readonly cursor: number },
): Found {
  const at = where.expected ?? (hunk.below === null ? lines.length : where.start + 1);
  if (at < where.cursor || at > lines.length)
    return { kind: 'refused', problem: `begins at line ${at + 1}; there are ${lines.length} lines` };
  return { kind: 'found', at, count: 0, note: '' };
}

function mismatch(lines: readonly string[], old: readonly string[], expected: number): string {
  const wrong = old.findIndex((line, index) => lines[expected + index]?.trimEnd() !== line.trimEnd());
  const has = lines[expected + wrong];
  return [
    `does not fit: the patch expects at line ${expected + wrong + 1}`,
    `    ${JSON.stringify(old[wrong]?.slice(0, 200))}`,
    `and the file has`,
    `    ${has === undefined ? '(its end)' : JSON.stringify(has.slice(0, 200))}`,
  ].join('\n');
}
