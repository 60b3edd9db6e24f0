/** Where the values of a JSON text stand, so that one can be changed without touching the rest. */

interface Span {
  /** First character and the one after the last. */
  readonly start: number;
  readonly end: number;
}

export interface JsonMember {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: JsonPlace;
}

export type JsonPlace =
  | (Span & { readonly kind: 'object'; readonly members: readonly JsonMember[] })
  | (Span & { readonly kind: 'array'; readonly items: readonly JsonPlace[] })
  | (Span & { readonly kind: 'scalar' });

export type LocatedJson =
  | { readonly kind: 'located'; readonly root: JsonPlace }
  | { readonly kind: 'broken'; readonly at: number; readonly expected: string };

/** Finds every value, or the first place where the text stops being JSON (to be trusted where `JSON.parse` refuses it too). */
export function locateJson(text: string): LocatedJson {
  const scanner = createScanner(text);
  try {
    const root = readValue(scanner);
    scanner.skip(whitespace);
    if (scanner.at() < text.length) scanner.fail('the end of the file');
    return { kind: 'located', root };
  } catch (error) {
    if (error instanceof Broken) return { kind: 'broken', at: scanner.at(), expected: error.message };
    throw error;
  }
}

/** The last member of that name, which is the one that `JSON.parse` takes. */
export function memberOf(place: JsonPlace | undefined, key: string): JsonMember | undefined {
  return place?.kind === 'object' ? place.members.findLast((member) => member.key === key) : undefined;
}

const whitespace = /[ \t\r\n]*/y;
const stringLiteral = /"(?:[^"\\\n]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const otherLiteral = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** Leaves the scanner where it failed. */
class Broken extends Error {}

interface Scanner {
  readonly text: string;
  readonly at: () => number;
  /** Goes on past the pattern, which may match nothing. */
  readonly skip: (pattern: RegExp) => Span;
  readonly peek: () => string | undefined;
  readonly fail: (expected: string) => never;
}

function createScanner(text: string): Scanner {
  let at = 0;
  return {
    text,
    at: () => at,
    skip: (pattern) => {
      pattern.lastIndex = at;
      const start = at;
      at += pattern.exec(text)?.[0].length ?? 0;
      return { start, end: at };
    },
    peek: () => text[at],
    fail: (expected) => {
      throw new Broken(expected);
    },
  };
}

function readValue(scanner: Scanner): JsonPlace {
  scanner.skip(whitespace);
  const start = scanner.at();
  const first = scanner.peek();
  if (first === '{') {
    const members = readList(scanner, '}', () => readMember(scanner));
    return { kind: 'object', members, start, end: scanner.at() };
  }
  if (first === '[') {
    const items = readList(scanner, ']', () => readValue(scanner));
    return { kind: 'array', items, start, end: scanner.at() };
  }
  const span = scanner.skip(first === '"' ? stringLiteral : otherLiteral);
  if (span.end === start) scanner.fail(first === '"' ? 'a text that ends on its line' : 'a value');
  return { kind: 'scalar', ...span };
}

function readMember(scanner: Scanner): JsonMember {
  const keySpan = scanner.skip(stringLiteral);
  if (keySpan.end === keySpan.start) scanner.fail('a key in double quotes');
  scanner.skip(whitespace);
  if (scanner.peek() !== ':') scanner.fail(':');
  scanner.skip(/:/y);
  const key = String(JSON.parse(scanner.text.slice(keySpan.start, keySpan.end)));
  return { key, keySpan, value: readValue(scanner) };
}

function readList<T>(scanner: Scanner, close: string, item: () => T): T[] {
  const items: T[] = [];
  scanner.skip(/[{[]/y);
  scanner.skip(whitespace);
  if (scanner.peek() !== close)
    for (;;) {
      items.push(item());
      scanner.skip(whitespace);
      if (scanner.peek() === close) break;
      if (scanner.peek() !== ',') scanner.fail(`, or ${close}`);
      scanner.skip(/,/y);
      scanner.skip(whitespace);
    }
  scanner.skip(/[}\]]/y);
  return items;
}
