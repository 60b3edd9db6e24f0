import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { bytesOf } from '../../../domain/text/bytes.ts';

export const outputFormats = ['text', 'json', 'stream-json'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** A whole number from 1; throws commander's error for anything else. */
export function wholeNumber(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/** `64` at most: what the API accepts. */
export function concurrency(text: string): number {
  const value = wholeNumber(text);
  if (value > 64) throw new InvalidArgumentError('It must be 64 or less.');
  return value;
}

/** `400000`, `400k`, `1.5M`. */
export function tokenCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text.replaceAll('_', ''));
  const value =
    match === null
      ? Number.NaN
      : Math.round(Number(match[1]) * (match[2] === 'k' ? 1_000 : match[2] === 'M' ? 1_000_000 : 1));
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a number of tokens: 400000, 400k or 1.5M.');
  return value;
}

/** `2`, `0.50`, `$2`. */
export function dollars(text: string): number {
  const value = /^\$?\d+(?:\.\d+)?$/.test(text) ? Number(text.replace('$', '')) : Number.NaN;
  if (!(value > 0)) throw new InvalidArgumentError('It must be an amount in US dollars: 2 or 0.50.');
  return value;
}

/** `5g`, `500m` as bytes. */
export function diskSize(text: string): number {
  const bytes = bytesOf(text);
  if (bytes === null) throw new InvalidArgumentError('It must be a size: 5g or 500m.');
  return bytes;
}

/** `80`, `80%`: from 1 to 99. */
export function percentage(text: string): number {
  const value = /^\d+(?:\.\d+)?%?$/.test(text) ? Number(text.replace('%', '')) : Number.NaN;
  if (!(value >= 1 && value <= 99)) throw new InvalidArgumentError('It must be a percentage from 1 to 99.');
  return value;
}

/** `2h30m`, `45m`, `90s` as milliseconds. */
export function timeSpan(text: string): number {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text.replaceAll(' ', ''));
  const [days, hours, minutes, seconds] = (match ?? []).slice(1).map((part) => Number(part ?? 0));
  const totalMs = ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1_000;
  if (totalMs === 0) throw new InvalidArgumentError('It must be a time such as 2h30m, 45m or 90s.');
  return totalMs;
}

/** A seq of the event log: 0 is before the first event. */
export function sequenceNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a seq of an event, 0 or more.');
  return value;
}

/** What follows the flags in the help of a command of `ralph`. */
export interface HelpEnd {
  /** Command line, then what it does. */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
}

export const runExitCodes: HelpEnd['exitCodes'] = [
  [0, 'all stories have passed'],
  [1, 'error; or the run was stopped or cancelled'],
  [2, 'command line, PRD or repository is not right; nothing was started'],
  [3, 'quality-failed: some stories did not pass'],
  [4, 'max-iterations: the allowed attempts are used up'],
  [5, 'budget-exceeded: cost, tokens or time are used up'],
  [6, 'waiting for a person, with --detach-on-ask; the run is left running'],
  [75, 'temporary failure: the same command can work later'],
  [130, 'interrupted: the run goes on without this command'],
];

export const shortExitCodes: HelpEnd['exitCodes'] = [
  [0, 'done'],
  [1, 'error'],
  [2, 'the command line is not right, or there is no such run'],
  [75, 'temporary failure: the same command can work later'],
];

export function withHelpEnd(command: Command, { examples, exitCodes }: HelpEnd): Command {
  return command.addHelpText('after', () => {
    const columns = process.stdout.columns ?? 80;
    const width = Math.max(...examples.map(([line]) => line.length));
    const isNarrow = examples.some(([, what]) => 2 + width + 2 + what.length > columns);
    const exampleLines = examples.flatMap(([line, what]) =>
      isNarrow ? [`  ${line}`, `      ${what}`] : [`  ${line.padEnd(width)}  ${what}`],
    );
    const codeLines = exitCodes.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`);
    return ['', 'Examples:', ...exampleLines, '', 'Exit codes:', ...codeLines, '', 'More: docs/ralph.md'].join('\n');
  });
}
