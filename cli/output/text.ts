import { stripVTControlCharacters } from 'node:util';

/**
 * One harmless line out of text that a model, a tool or a file has written: no escape sequence, no control or
 * direction-changing character, no line break. Everything foreign passes this before it reaches a terminal.
 */
export function cleanLine(text: string): string {
  return stripVTControlCharacters(text).replace(/\s+/gu, ' ').replace(harmful, '').trim();
}

/** The same for one line of a tool's output, with its indentation kept. */
export function cleanOutputLine(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\t', '    ').replace(harmful, '').trimEnd();
}

const harmful = /[\p{Cc}\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/gu;

const invisible = /^[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Mark}]*$/u;
/** Emoji that are shown as such by themselves, or are told to be by a variation selector. */
const emoji = /\p{Emoji_Presentation}|\uFE0F/u;
/** East Asian wide and full-width blocks. */
const wide =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{1B000}-\u{1B2FF}\u{1F200}-\u{1F2FF}\u{20000}-\u{3FFFD}]/u;
/** Latin and the signs of this program: most texts, measured without loading what Unicode asks for. */
const narrow =
  /^[\u0020-\u007E\u00A0-\u00AC\u00AE-\u02FF\u2013\u2014\u2018-\u201D\u2026\u2190-\u2193\u25CC\u25CF\u23F8\u26A0\u2713\u2717]*$/;

let segmenter: Intl.Segmenter | undefined;

function graphemes(text: string): Iterable<{ readonly segment: string }> {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(text);
}

/** Columns that a terminal needs for the text; `text` is clean. */
export function displayWidth(text: string): number {
  if (narrow.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (invisible.test(grapheme)) return 0;
  return emoji.test(grapheme) || wide.test(grapheme) ? 2 : 1;
}

/** The text in at most `columns`, its end replaced by `ellipsis` where it is longer. */
export function truncate(text: string, columns: number, ellipsis: string): string {
  if (displayWidth(text) <= columns) return text;
  const room = columns - ellipsis.length;
  if (room <= 0) return ellipsis.slice(0, Math.max(0, columns));
  let kept = '';
  let width = 0;
  for (const { segment } of graphemes(text)) {
    width += graphemeWidth(segment);
    if (width > room) break;
    kept += segment;
  }
  return kept.trimEnd() + ellipsis;
}

/** Exactly `columns` wide, unless the text is longer. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

/** `1 story`, `2 stories`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Broken between words into at most `maxLines` lines of `columns`; the last is cut where there is more. */
export function wrap(text: string, columns: number, maxLines: number, ellipsis: string): string[] {
  if (displayWidth(text) <= columns) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || displayWidth(longer) <= columns || lines.length === maxLines - 1) {
      line = longer;
    } else {
      lines.push(line);
      line = `  ${word}`;
    }
  }
  return [...lines, line].map((full) => truncate(full, columns, ellipsis));
}
