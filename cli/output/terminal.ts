import { asciiSigns, unicodeSigns } from './signs.ts';
import type { Signs } from './signs.ts';

/** How text may look on one stream. */
export interface Look {
  readonly signs: Signs;
  readonly color: boolean;
  readonly columns: number;
}

/** The part of the environment that decides on looks. */
export interface LookEnvironment {
  readonly [name: string]: string | undefined;
}

/** Never throws; off a terminal there is no colour and no limit of columns. */
export function lookOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: LookEnvironment,
): Look {
  const onTerminal = stream.isTTY === true;
  return {
    signs: isUnicode(environment) ? unicodeSigns : asciiSigns,
    color: onTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb',
    columns: onTerminal ? Math.max(20, stream.columns ?? 80) : Number.POSITIVE_INFINITY,
  };
}

function isUnicode(environment: LookEnvironment): boolean {
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(
    (value) => value !== undefined && value !== '',
  );
  if (locale === undefined) return process.platform !== 'linux';
  return /utf-?8/i.test(locale);
}

const codes = {
  good: [32, 39],
  bad: [31, 39],
  active: [36, 39],
  warn: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
} as const;
export type Style = keyof typeof codes;

export function paint(text: string, style: Style, look: Pick<Look, 'color'>): string {
  if (!look.color || text === '') return text;
  const [on, off] = codes[style];
  return `\u001B[${on}m${text}\u001B[${off}m`;
}
