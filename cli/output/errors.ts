import { asCodetetherError } from '../../domain/errors.ts';
import type { CodetetherError } from '../../domain/errors.ts';
import { inSigns } from './signs.ts';
import { paint } from './terminal.ts';
import type { Look } from './terminal.ts';
import { cleanLine, displayWidth } from './text.ts';

/** The code stands at the right end of the last line, but not further right than this. */
const codeColumn = 100;

/**
 * What happened, each problem with its place, what to do next, and the code. No stack trace unless `debug`. Never throws.
 * @example
 * error: prd.json is not usable (2 problems)
 *   user_stories[3].depends_on[0]: "US-0O2" is not a story; did you mean US-002?
 *   user_stories[5].id: "../../x" must be letters, digits, dot, dash, underscore
 * Correct the named places; check with codetether ralph validate.                              [prd-invalid]
 */
export function errorLines(error: unknown, options: { readonly look: Look; readonly debug: boolean }): string[] {
  const { look } = options;
  const known = asCodetetherError(error);
  const lines = [
    `${paint('error:', 'bad', look)} ${inSigns(cleanLine(known.message), look.signs)}`,
    ...known.problems
      .flatMap((problem) => problem.split('\n'))
      .map((line) => `  ${inSigns(cleanLine(line), look.signs)}`),
    lastLine(known, look),
  ];
  return options.debug ? [...lines, ...stackLines(error)] : lines;
}

function lastLine(error: CodetetherError, look: Look): string {
  const next = inSigns(cleanLine(error.next), look.signs);
  const code = `[${error.code}]`;
  const room = Math.min(look.columns, codeColumn) - displayWidth(next) - code.length;
  return `${next}${' '.repeat(Math.max(2, room))}${paint(code, 'dim', look)}`;
}

function stackLines(error: unknown): string[] {
  const lines: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    lines.push(...(current.stack ?? current.message).split('\n').map((line) => `  ${line}`));
    if (current.cause !== undefined) lines.push('  caused by');
  }
  return lines;
}
