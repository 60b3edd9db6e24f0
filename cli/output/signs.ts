/** The signs that carry meaning; colour only ever comes together with one of them. */
export interface Signs {
  readonly passed: string;
  readonly failed: string;
  readonly running: string;
  readonly waiting: string;
  readonly paused: string;
  readonly warning: string;
  readonly ellipsis: string;
  readonly separator: string;
  readonly unknown: string;
}

export const unicodeSigns: Signs = {
  passed: '✓',
  failed: '✗',
  running: '●',
  waiting: '◌',
  paused: '⏸',
  warning: '⚠',
  ellipsis: '…',
  separator: '·',
  unknown: '–',
};

export const asciiSigns: Signs = {
  passed: '+',
  failed: 'x',
  running: '*',
  waiting: '.',
  paused: '=',
  warning: '!',
  ellipsis: '...',
  separator: '|',
  unknown: '-',
};

/** Our own typography in ASCII, for a terminal that cannot show more. Titles and other foreign text are left alone. */
export function inSigns(text: string, signs: Signs): string {
  if (signs === unicodeSigns) return text;
  return text.replace(/[…–·✓✗●◌⏸⚠]/gu, (sign) => replacements.get(sign) ?? sign);
}

const replacements = new Map(
  Object.entries(unicodeSigns).map(([name, sign]) => [sign, asciiSigns[name as keyof Signs]] as const),
);
