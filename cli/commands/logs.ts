import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { CodetetherError } from '../../domain/errors.ts';
import { nearest } from '../../domain/text/nearest.ts';
import { processEnvironment } from '../../services/config/environment.ts';
import { locate } from '../../services/config/paths.ts';
import { readLogFrom, readLogTail } from '../../services/stack/logs.ts';
import { logNames } from '../../services/stack/paths.ts';
import type { LogName } from '../../services/stack/paths.ts';
import { withStackHelp } from './help-end.ts';

const pollMs = 250;

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

/** `codetether logs`: the ends of the stack's logs, and what comes after. */
export function command(): Command {
  const logs = new Command('logs')
    .summary('show what they have logged')
    .description('Shows the newest lines that the processes of the local stack have logged.')
    .argument('[process]', `one of ${logNames.join(', ')}; all of them when left out`)
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-n, --lines <number>', 'how many lines of each', lineCount, 50)
    .action(async (name: string | undefined, options: LogsOptions) => {
      await show(name === undefined ? logNames : [logName(name)], options);
    });
  return withStackHelp(logs, {
    examples: [
      ['codetether logs', 'the newest lines of all'],
      ['codetether logs -f worker', 'what the worker says, as it says it'],
      ['codetether logs postgres -n 200', 'more of one'],
    ],
    exitCodes: [
      [0, 'shown'],
      [2, 'there is no such process'],
    ],
  });
}

async function show(names: readonly LogName[], options: LogsOptions): Promise<void> {
  const { dataDir } = locate({ environment: processEnvironment() });
  let readerIsGone = false;
  process.stdout.on('error', () => {
    readerIsGone = true;
  });
  const prefixWidth = names.length === 1 ? 0 : Math.max(...names.map((name) => name.length));
  const print = (name: LogName, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    const prefix = prefixWidth === 0 ? '' : `${name.padEnd(prefixWidth)} | `;
    process.stdout.write(lines.map((line) => `${prefix}${harmless(line)}\n`).join(''));
  };
  const offsets = new Map<LogName, number>();
  for (const name of names) {
    const { lines, offset } = await readLogTail(dataDir, name, { lines: options.lines });
    print(name, lines);
    offsets.set(name, offset);
  }
  if (options.follow !== true) {
    if ([...offsets.values()].every((offset) => offset === 0)) process.stderr.write(`no logs yet in ${dataDir}\n`);
    return;
  }
  while (!isGone()) {
    await delay(pollMs);
    for (const name of names) {
      const { lines, offset } = await readLogFrom(dataDir, name, offsets.get(name) ?? 0);
      print(name, lines);
      offsets.set(name, offset);
    }
  }

  function isGone(): boolean {
    return readerIsGone;
  }
}

/** As it was written, without what could change the terminal; leading spaces stay, they carry meaning in traces. */
function harmless(line: string): string {
  return stripVTControlCharacters(line)
    .replaceAll('\t', '  ')
    .replace(/\p{Cc}/gu, '');
}

function logName(text: string): LogName {
  const name = logNames.find((candidate) => candidate === text);
  if (name !== undefined) return name;
  const meant = nearest(text, logNames);
  throw new CodetetherError(
    'usage',
    `there is no process ${text}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    {
      next: `Name one of ${logNames.join(', ')}.`,
    },
  );
}

function lineCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 1_000_000)
    throw new InvalidArgumentError('It must be a whole number from 0.');
  return value;
}
