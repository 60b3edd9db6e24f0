/** How `edit` finds and replaces text. Pure. */

export interface EditRequest {
  readonly text: string;
  readonly oldText: string;
  readonly newText: string;
  readonly replaceAll: boolean;
}

export type EditResult =
  | {
      readonly kind: 'edited';
      readonly text: string;
      readonly replacements: number;
      /** From 1: the first changed line of the new text, and how many lines the replacement has there. */
      readonly line: number;
      readonly lineCount: number;
      /** `ignoring-whitespace`: only trailing blanks and the indentation of the whole block differed. */
      readonly match: 'exact' | 'ignoring-whitespace';
    }
  | { readonly kind: 'no-change' }
  | { readonly kind: 'empty-old-text' }
  /** Lines, from 1, where the old text begins. */
  | { readonly kind: 'ambiguous'; readonly lines: readonly number[] }
  | { readonly kind: 'not-found'; readonly closest: { readonly line: number; readonly text: string } | null };

/**
 * Replaces the one place (or, with `replaceAll`, every place) that is `oldText`. In a text whose lines all end in
 * CRLF both texts are taken with CRLF. When nothing is exactly equal, one single block that differs in trailing
 * blanks or in the indentation of all its lines is taken, and the new text gets that indentation.
 */
export function editText(request: EditRequest): EditResult {
  const newline = usesCrlf(request.text) ? '\r\n' : null;
  const oldText = withNewline(request.oldText, newline);
  const newText = withNewline(request.newText, newline);
  const { text } = request;
  if (oldText === '') return { kind: 'empty-old-text' };
  if (oldText === newText) return { kind: 'no-change' };
  const places = placesOf(text, oldText);
  const [first] = places;
  if (first === undefined) return editIgnoringWhitespace({ text, oldText, newText, newline: newline ?? '\n' });
  if (places.length > 1 && !request.replaceAll)
    return { kind: 'ambiguous', lines: places.map((place) => lineAt(text, place)) };
  const pieces = request.replaceAll ? text.split(oldText) : [text.slice(0, first), text.slice(first + oldText.length)];
  return {
    kind: 'edited',
    text: pieces.join(newText),
    replacements: pieces.length - 1,
    line: lineAt(text, first),
    lineCount: newText.split('\n').length,
    match: 'exact',
  };
}

function usesCrlf(text: string): boolean {
  return text.includes('\r\n') && !/(?<!\r)\n/.test(text);
}

function withNewline(text: string, newline: string | null): string {
  return newline === null ? text : text.replace(/\r?\n/g, newline);
}

/** Overlapping ones too: `aa` is twice in `aaa`. */
function placesOf(text: string, part: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) places.push(at);
  return places;
}

function lineAt(text: string, place: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < place; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

interface Block {
  readonly indentation: string;
  /** Without the common indentation and without trailing blanks. */
  readonly lines: readonly string[];
}

function editIgnoringWhitespace(request: {
  readonly text: string;
  readonly oldText: string;
  readonly newText: string;
  readonly newline: string;
}): EditResult {
  const lines = request.text.split('\n').map(withoutCarriageReturn);
  const wantedLines = request.oldText
    .replace(/\r?\n$/, '')
    .split('\n')
    .map(withoutCarriageReturn);
  const wanted = blockOf(wantedLines);
  if (wanted.lines.every((line) => line === '')) return { kind: 'not-found', closest: null };
  const [anchor, anchorAt] = firstFull(wanted.lines);
  const found: { at: number; block: Block }[] = [];
  for (let at = 0; at + wantedLines.length <= lines.length; at += 1) {
    if ((lines[at + anchorAt] ?? '').trim() !== anchor.trim()) continue;
    const block = blockOf(lines.slice(at, at + wantedLines.length));
    if (block.lines.every((line, index) => line === wanted.lines[index])) found.push({ at, block });
  }
  const [place, ...others] = found;
  if (place === undefined) return { kind: 'not-found', closest: closestBlock(lines, wantedLines) };
  if (others.length > 0) return { kind: 'ambiguous', lines: found.map(({ at }) => at + 1) };
  const replacement =
    request.newText === ''
      ? []
      : request.newText
          .replace(/\r?\n$/, '')
          .split('\n')
          .map(withoutCarriageReturn)
          .map((line) => reindented(line, wanted.indentation, place.block.indentation));
  const rawLines = request.text.split('\n');
  const before = rawLines.slice(0, place.at).map((line) => `${line}\n`);
  const after = rawLines.slice(place.at + wantedLines.length);
  const lastHasNewline = after.length > 0;
  const body = replacement.map((line, index) =>
    index < replacement.length - 1 || lastHasNewline ? `${line}${request.newline}` : line,
  );
  const text = [...before, ...body, after.join('\n')].join('');
  if (text === request.text) return { kind: 'no-change' };
  return {
    kind: 'edited',
    text,
    replacements: 1,
    line: place.at + 1,
    lineCount: replacement.length,
    match: 'ignoring-whitespace',
  };
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function blockOf(lines: readonly string[]): Block {
  const indentations = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0] ?? '');
  const indentation = indentations.reduce(commonStart, indentations[0] ?? '');
  return { indentation, lines: lines.map((line) => line.slice(indentation.length).trimEnd()) };
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}

function firstFull(lines: readonly string[]): [string, number] {
  const at = lines.findIndex((line) => line !== '');
  return [lines[at] ?? '', Math.max(at, 0)];
}

function reindented(line: string, from: string, to: string): string {
  if (line.trim() === '') return '';
  return line.startsWith(from) ? to + line.slice(from.length) : line;
}

/** The block of the same length that has most lines in common with the wanted one, where any line is alike. */
function closestBlock(
  lines: readonly string[],
  wantedLines: readonly string[],
): { readonly line: number; readonly text: string } | null {
  const wanted = wantedLines.map((line) => line.trim());
  const words = new Set(
    wanted
      .join(' ')
      .split(/\W+/)
      .filter((word) => word.length > 2),
  );
  const scores = lines.map((line) => {
    const trimmed = line.trim();
    if (trimmed === '') return 0;
    if (wanted.includes(trimmed)) return 2;
    const own = trimmed.split(/\W+/).filter((word) => word.length > 2);
    return own.length === 0 ? 0 : own.filter((word) => words.has(word)).length / Math.max(own.length, words.size);
  });
  const size = Math.min(wantedLines.length, lines.length);
  let sum = scores.slice(0, size).reduce((a, b) => a + b, 0);
  let best = { sum, at: 0 };
  for (let at = 1; at + size <= lines.length; at += 1) {
    sum += (scores[at + size - 1] ?? 0) - (scores[at - 1] ?? 0);
    if (sum > best.sum + 1e-9) best = { sum, at };
  }
  if (best.sum < 0.3) return null;
  return { line: best.at + 1, text: lines.slice(best.at, best.at + Math.min(size, 20)).join('\n') };
}
