/** How `edit` finds and replaces text. Pure. */

export interface EditRequest {
  readonly text: string;
  readonly oldText: string;
  readonly newText: string;
  readonly replaceAll: boolean;
}

/**
 * How the old text was found, strictest first: every character; but for blanks at line ends; but for the indentation of the
 * whole block; but for that and the number of blanks within lines.
 */
export type EditMatch = 'exact' | 'trailing-blanks' | 'indentation' | 'blanks';

export type EditResult =
  | {
      readonly kind: 'edited';
      readonly text: string;
      readonly replacements: number;
      /** From 1: the first changed line of the new text, and how many lines the replacement has there. */
      readonly line: number;
      readonly lineCount: number;
      readonly match: EditMatch;
      /** The old text began each line with its number, as `read` shows it. */
      readonly hadLineNumbers: boolean;
    }
  | { readonly kind: 'no-change' }
  | { readonly kind: 'empty-old-text' }
  /** Lines, from 1, where the old text begins. */
  | { readonly kind: 'ambiguous'; readonly lines: readonly number[] }
  | { readonly kind: 'not-found'; readonly closest: { readonly line: number; readonly text: string } | null };

/**
 * Replaces the one place (or, with `replaceAll`, every place) that is `oldText`. In a text whose lines all end in
 * CRLF both texts are taken with CRLF. When nothing is exactly equal, one single block that differs in blanks is taken, see
 * {@link EditMatch}, and the new text gets its indentation; then the same is tried without line numbers. Never takes a block whose other
 * characters differ: what the model has not seen is not replaced.
 */
export function editText(request: EditRequest): EditResult {
  const result = editBlock(request);
  if (result.kind !== 'not-found') return result;
  const oldText = withoutLineNumbers(request.oldText);
  if (oldText === undefined) return result;
  const numberless = { ...request, oldText, newText: withoutLineNumbers(request.newText) ?? request.newText };
  const second = editBlock(numberless);
  if (second.kind === 'edited') return { ...second, hadLineNumbers: true };
  return second;
}

/** Undefined unless every line begins with a number as `read` writes it. */
function withoutLineNumbers(text: string): string | undefined {
  const lines = text.split('\n');
  const last = lines.at(-1) === '' ? lines.pop() : undefined;
  if (lines.length === 0 || !lines.every((line) => /^ *\d+\|(?: |\r?$)/.test(line))) return undefined;
  const plain = lines.map((line) => line.replace(/^ *\d+\| ?/, ''));
  return [...plain, ...(last === undefined ? [] : [last])].join('\n');
}

function editBlock(request: EditRequest): EditResult {
  const newline = usesCrlf(request.text) ? '\r\n' : null;
  const oldText = withNewline(request.oldText, newline);
  const newText = withNewline(request.newText, newline);
  const { text } = request;
  if (oldText === '') return { kind: 'empty-old-text' };
  if (oldText === newText) return { kind: 'no-change' };
  const places = placesOf(text, oldText);
  const [first] = places;
  if (first === undefined) return editIgnoringBlanks({ text, oldText, newText, newline: newline ?? '\n' });
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
    hadLineNumbers: false,
  };
}

export function usesCrlf(text: string): boolean {
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

/** What stays of a line for comparison; `indentation` is what the block's lines have in common. */
const comparisons: readonly (readonly [Exclude<EditMatch, 'exact'>, (line: string, indentation: string) => string])[] =
  [
    ['trailing-blanks', (line) => line.trimEnd()],
    ['indentation', (line, indentation) => line.slice(indentation.length).trimEnd()],
    [
      'blanks',
      (line, indentation) =>
        line
          .slice(indentation.length)
          .trimEnd()
          .replace(/(?<=\S)\s+/g, ' '),
    ],
  ];

function editIgnoringBlanks(request: {
  readonly text: string;
  readonly oldText: string;
  readonly newText: string;
  readonly newline: string;
}): EditResult {
  const lines = request.text.split('\n').map(withoutCarriageReturn);
  const wanted = request.oldText
    .replace(/\r?\n$/, '')
    .split('\n')
    .map(withoutCarriageReturn);
  if (wanted.every((line) => line.trim() === '')) return { kind: 'not-found', closest: null };
  const from = commonIndentation(wanted);
  for (const [match, kept] of comparisons) {
    const places = blocksLike({ lines, wanted, indentation: from, kept });
    const [place] = places;
    if (place === undefined) continue;
    if (places.length > 1) return { kind: 'ambiguous', lines: places.map((at) => at + 1) };
    const to = commonIndentation(lines.slice(place, place + wanted.length));
    const replacement = linesOf(request.newText).map((line) => reindented(line, from, to));
    const text = replaceLines(request, { place, count: wanted.length, replacement });
    if (text === request.text) return { kind: 'no-change' };
    return {
      kind: 'edited',
      text,
      replacements: 1,
      line: place + 1,
      lineCount: replacement.length,
      match,
      hadLineNumbers: false,
    };
  }
  return { kind: 'not-found', closest: closestBlock(lines, wanted) };
}

function blocksLike(search: {
  readonly lines: readonly string[];
  readonly wanted: readonly string[];
  readonly indentation: string;
  readonly kept: (line: string, indentation: string) => string;
}): number[] {
  const { lines, wanted, kept } = search;
  const wantedKept = wanted.map((line) => kept(line, search.indentation));
  const anchorAt = wanted.findIndex((line) => line.trim() !== '');
  const anchor = wanted[anchorAt]?.replace(/\s+/g, '');
  const places: number[] = [];
  for (let at = 0; at + wanted.length <= lines.length; at += 1) {
    if (lines[at + anchorAt]?.replace(/\s+/g, '') !== anchor) continue;
    const block = lines.slice(at, at + wanted.length);
    const indentation = commonIndentation(block);
    if (block.every((line, index) => kept(line, indentation) === wantedKept[index])) places.push(at);
  }
  return places;
}

function linesOf(text: string): string[] {
  return text === ''
    ? []
    : text
        .replace(/\r?\n$/, '')
        .split('\n')
        .map(withoutCarriageReturn);
}

function replaceLines(
  { text, newline }: { readonly text: string; readonly newline: string },
  { place, count, replacement }: { readonly place: number; readonly count: number; readonly replacement: string[] },
): string {
  const rawLines = text.split('\n');
  const before = rawLines.slice(0, place).map((line) => `${line}\n`);
  const after = rawLines.slice(place + count);
  const body = replacement.map((line, index) =>
    index < replacement.length - 1 || after.length > 0 ? `${line}${newline}` : line,
  );
  return [...before, ...body, after.join('\n')].join('');
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function commonIndentation(lines: readonly string[]): string {
  const indentations = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0] ?? '');
  return indentations.reduce(commonStart, indentations[0] ?? '');
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
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
