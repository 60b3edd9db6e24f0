/** The one place that makes tool output fit for a transcript: bounded, and free of terminal control. */

/** Characters of one tool result that the model gets to see. */
export const maxOutputCharacters = 30_000;

const controlCharacters = /(?![\t\n\r])\p{Cc}/gu;

/** What a terminal would show at the end: no escape sequences, of each line only what came after its last carriage return. */
export function plainText(text: string): string {
  const shown = withoutEscapes(text.toWellFormed());
  return (shown.includes('\r') ? shown.split('\n').map(afterCarriageReturn).join('\n') : shown).replace(
    controlCharacters,
    '',
  );
}

function afterCarriageReturn(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\r') end -= 1;
  return line.slice(line.lastIndexOf('\r', end - 1) + 1, end);
}

/**
 * Without terminal escape sequences (CSI, OSC, DCS and their like, and the short ones). Takes time in proportion to the
 * text, which Node's `stripVTControlCharacters` does not: half a megabyte of `ESC ]` keeps that busy for minutes.
 */
function withoutEscapes(text: string): string {
  const [first = '', ...parts] = text.split('\u001b');
  if (parts.length === 0) return text;
  return first + parts.map((part, index) => afterEscape(part, parts[index + 1])).join('');
}

/** What is left of the text between one escape character and the next; texts of the terminal's own end in BEL or `ESC \`. */
function afterEscape(part: string, next: string | undefined): string {
  const kind = part[0] ?? '';
  if (']PX^_'.includes(kind) && kind !== '') {
    const bell = kind === ']' ? part.indexOf('\u0007') : -1;
    if (bell !== -1) return part.slice(bell + 1);
    if (next?.startsWith('\\') === true) return '';
  }
  return part.replace(/^(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])/, '');
}

/** One line of at most `maxLength` characters, for boards and summaries. */
export function cleanLine(text: string, maxLength: number): string {
  const line = plainText(text).replace(/\s+/g, ' ').trim();
  return line.length <= maxLength
    ? line
    : `${line
        .slice(0, maxLength - 1)
        .toWellFormed()
        .replace(/\ufffd$/, '')}…`;
}

/**
 * The text itself when it has at most `maxCharacters`, else its beginning and its end with a line between them
 * that says how much was cut and how to get it.
 */
export function limitText(
  text: string,
  options: {
    readonly maxCharacters: number;
    readonly advice: string;
    /** What whoever gave the text had left out of its middle before. */
    readonly alreadyCut?: number;
  },
): string {
  if (text.length <= options.maxCharacters) return text;
  const headLength = Math.floor(options.maxCharacters * 0.4);
  const head = atLineEnd(text.slice(0, headLength));
  const tail = atLineStart(text.slice(text.length - (options.maxCharacters - headLength)));
  const cut = text.length - head.length - tail.length + (options.alreadyCut ?? 0);
  return `${head.trimEnd()}\n[… ${cut} characters cut here; ${options.advice} …]\n${tail}`.toWellFormed();
}

/** The last `maxCharacters` at most, from the start of a line, with a first line that says what was cut. */
export function tailText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const tail = atLineStart(text.slice(text.length - maxCharacters));
  return `[… ${text.length - tail.length} characters before this cut …]\n${tail}`.toWellFormed();
}

function atLineEnd(head: string): string {
  const newline = head.lastIndexOf('\n');
  return newline > head.length / 2 ? head.slice(0, newline + 1) : head;
}

function atLineStart(tail: string): string {
  const newline = tail.indexOf('\n');
  return newline !== -1 && newline < tail.length / 2 ? tail.slice(newline + 1) : tail;
}
