/**
 * Tool calls in the text of an answer, for models that have no other way to make them.
 *
 * ```
 * I look at the file.
 * <tool_call>
 * {"name": "read", "arguments": {"path": "a.txt"}}
 * </tool_call>
 * ```
 */

export interface TextCall {
  readonly name: string;
  /** An object; where the call is malformed or cut off the text of it, which is no JSON. */
  readonly args: unknown;
  readonly isComplete: boolean;
}

export interface ReadAnswer {
  /** What was said besides. */
  readonly text: string;
  readonly calls: readonly TextCall[];
}

export interface TextCallOptions {
  /**
   * `told`: the model was told to call tools so. `untold`: it has another way, so that only what can be nothing else counts: whole
   * calls of known tools at the very end.
   */
  readonly form: 'told' | 'untold';
  readonly isTool: (name: string) => boolean;
}

const opening = '<tool_call>';
const closing = '</tool_call>';
/** Stands for a call whose name cannot be read; no tool has it, so that the model is told what is wrong. */
const unreadable = 'tool_call';

/** One call as a model is to write it, and as it is shown what it has written. */
export function writeTextCall({ name, args }: { readonly name: string; readonly args: unknown }): string {
  if (typeof args === 'string' && args.startsWith(opening)) return args;
  return `${opening}\n${JSON.stringify({ name, arguments: args })}\n${closing}`;
}

/**
 * Reads the calls out of an answer's text: those in tags, each on lines of its own and in no code fence; where there are none, the
 * one that the last code fence, or a JSON object at the end, is. A text without a call comes back as it is.
 */
export function readTextCalls(text: string, options: TextCallOptions): ReadAnswer {
  return taggedCalls(text, options) ?? fencedCalls(text, options) ?? jsonCall(text, options) ?? { text, calls: [] };
}

function taggedCalls(text: string, options: TextCallOptions): ReadAnswer | undefined {
  const found = tagged(text, options.form);
  const calls = options.form === 'told' ? found : lastOnes(text, found, options.isTool);
  const last = calls.at(-1);
  if (last === undefined) return undefined;
  const starts = [...calls.map(({ start }) => start), text.length];
  const ends = [0, ...calls.map(({ end }) => end)];
  const said = ends.map((end, index) => text.slice(end, starts[index]));
  // What a model says that its tools have answered, it has made up.
  const rest = said.pop() ?? '';
  const madeUp = rest.search(/^[ \t]*<tool_response/m);
  said.push(madeUp === -1 ? rest : rest.slice(0, madeUp));
  return {
    text: joined(said),
    calls: calls.map(({ name, args, isWhole }) => ({ name, args, isComplete: isWhole })),
  };
}

/** The last thing in the answer is a code fence that holds calls and nothing else. */
function fencedCalls(text: string, options: TextCallOptions): ReadAnswer | undefined {
  const fence = fencesOf(text).last;
  // Whoever has another way to call a tool and says something before it, shows it.
  if (fence === undefined || (options.form === 'untold' && fence.before.trim() !== '')) return undefined;
  const before = fence.before.trimEnd();
  const inside = taggedCalls(fence.content, options);
  if (inside !== undefined && inside.text === '' && inside.calls.every(({ isComplete }) => isComplete))
    return { text: before, calls: inside.calls };
  const call = wholeCall(fence.content, options);
  return call === undefined ? undefined : { text: before, calls: [call] };
}

/** The last thing in the answer is a JSON object that names a tool and its arguments, from the start of a line. */
function jsonCall(text: string, options: TextCallOptions): ReadAnswer | undefined {
  if (!text.trimEnd().endsWith('}')) return undefined;
  for (const { index } of text.matchAll(/^\{/gm)) {
    const before = text.slice(0, index);
    if (options.form === 'untold' && before.trim() !== '') return undefined;
    const call = fencesOf(before).isOpen ? undefined : wholeCall(text.slice(index), options);
    if (call !== undefined) return { text: before.trimEnd(), calls: [call] };
  }
  return undefined;
}

function wholeCall(json: string, { isTool }: TextCallOptions): TextCall | undefined {
  const read = readCall(parseObject(json.trim()));
  if (read === undefined || read.isOdd || !isTool(read.name)) return undefined;
  return { name: read.name, args: read.args, isComplete: true };
}

interface Tagged {
  readonly name: string;
  readonly args: unknown;
  /** It can be run. */
  readonly isWhole: boolean;
  readonly start: number;
  readonly end: number;
}

function tagged(text: string, form: TextCallOptions['form']): readonly Tagged[] {
  const found: Tagged[] = [];
  let from = 0;
  for (let at = text.indexOf(opening); at !== -1; at = text.indexOf(opening, Math.max(at + 1, from))) {
    const lineStart = Math.max(text.lastIndexOf('\n', at - 1) + 1, from);
    const isInLine = text.slice(lineStart, at).trim() !== '';
    if ((isInLine && form === 'untold') || fencesOf(text.slice(from, at)).isOpen) continue;
    const call = callAt(text, at);
    // Behind other words of its line it may as well be talked about: only a whole one that ends its line is meant.
    if (isInLine && !(call.isWhole && /^[ \t]*(?:\n|$)/.test(text.slice(call.end)))) continue;
    found.push(call);
    from = call.end;
  }
  return found;
}

/** Those at the very end that are whole and of known tools, with nothing between and after them. */
function lastOnes(text: string, found: readonly Tagged[], isTool: (name: string) => boolean): readonly Tagged[] {
  let end = text.length;
  let first = found.length;
  for (const [index, call] of [...found.entries()].toReversed()) {
    if (!call.isWhole || !isTool(call.name) || text.slice(call.end, end).trim() !== '') break;
    end = call.start;
    first = index;
  }
  return found.slice(first);
}

/** The call whose tag opens at `start`; a closing tag inside of a string does not end it. */
function callAt(text: string, start: number): Tagged {
  const from = start + opening.length + (/^\s*/.exec(text.slice(start + opening.length))?.[0].length ?? 0);
  const objectEnd = text[from] === '{' ? endOfObject(text, from) : undefined;
  if (objectEnd !== undefined && text.slice(objectEnd).trimStart().startsWith(closing)) {
    const read = readCall(parseObject(text.slice(from, objectEnd)));
    const end = text.indexOf(closing, objectEnd) + closing.length;
    if (read !== undefined) return { name: read.name, args: read.args, isWhole: true, start, end };
  }
  const closedAt = text.indexOf(closing, from);
  const end = closedAt === -1 ? text.length : closedAt + closing.length;
  const args = text.slice(start, end).trim();
  return { name: /"name"\s*:\s*"([\w-]{1,64})"/.exec(args)?.[1] ?? unreadable, args, isWhole: false, start, end };
}

interface Fences {
  /** The text ends inside of one. */
  readonly isOpen: boolean;
  /** One that ends the text. */
  readonly last: { readonly before: string; readonly content: string } | undefined;
}

function fencesOf(text: string): Fences {
  const trimmed = text.trimEnd();
  let open: { readonly marks: string; readonly start: number; readonly contentStart: number } | undefined;
  let last: Fences['last'];
  let start = 0;
  for (const line of trimmed.split('\n')) {
    const end = start + line.length;
    const [, marks, rest = ''] = /^[ \t]*(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (marks !== undefined && open === undefined) open = { marks, start, contentStart: end + 1 };
    else if (marks !== undefined && open !== undefined && marks.startsWith(open.marks) && rest.trim() === '') {
      if (end === trimmed.length)
        last = { before: trimmed.slice(0, open.start), content: trimmed.slice(open.contentStart, start) };
      open = undefined;
    }
    start = end + 1;
  }
  return { isOpen: open !== undefined, last };
}

/** After the brace that closes the object at `start`; undefined when it is not closed. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0;
  let isInString = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at + 1;
  }
  return undefined;
}

/** Line ends and tabs as they are inside of strings are no JSON, and can mean one thing only. */
function parseObject(json: string): object | undefined {
  for (const candidate of [json, escapedStrings(json)]) {
    try {
      const value: unknown = JSON.parse(candidate);
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
    } catch {
      // The next candidate, or none.
    }
  }
  return undefined;
}

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapedStrings(json: string): string {
  return json.replace(/"(?:\\[\s\S]|[^"\\])*"/g, (string) =>
    string.replace(/[\n\r\t]/g, (character) => escapes[character] ?? character),
  );
}

const envelope: ReadonlySet<string> = new Set(['name', 'arguments', 'parameters', 'id', 'type']);

/** `isOdd`: outside of tags it is taken for data, not for a call. */
function readCall(
  value: object | undefined,
): { readonly name: string; readonly args: object; readonly isOdd: boolean } | undefined {
  if (value === undefined || !('name' in value) || typeof value.name !== 'string') return undefined;
  const given: unknown = 'arguments' in value ? value.arguments : 'parameters' in value ? value.parameters : undefined;
  const args = typeof given === 'string' ? parseObject(given) : (given ?? {});
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return undefined;
  const isOdd = given === undefined || Object.keys(value).some((key) => !envelope.has(key));
  return { name: value.name, args, isOdd };
}

function joined(parts: readonly string[]): string {
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join('\n\n');
}
