import { Command, InvalidArgumentError } from 'commander';
import { exitCodes } from '../../domain/errors.ts';
import { ask, openContext, print, stdoutLook } from './ralph/context.ts';
import { shortExitCodes, timeSpan, wholeNumber, withHelpEnd } from './ralph/options.ts';
import { findRepository, realpath } from './ralph/repository.ts';

export interface StatsOptions {
  readonly tools?: boolean;
  readonly files?: boolean;
  readonly tokens?: boolean;
  readonly tool?: string;
  readonly file?: string;
  readonly since?: Date;
  readonly limit: number;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** `codetether stats`: what models, tools and files came to. */
export function command(): Command {
  const stats = new Command('stats')
    .summary('what models, tools and files came to')
    .description(
      'Prints tokens, cost and requests by model, tool calls with failures and durations, and the files that tools have changed, of the runs and sessions of this repository (or folder). Off a terminal as Markdown.',
    )
    .option('-t, --tools', 'only tool calls, with the newest of them')
    .option('-f, --files', 'only files')
    .option('--tokens', 'only tokens and cost')
    .option('--tool <name>', 'only calls of this tool, and files that it changed')
    .option('--file <path>', 'only this file, or those below this folder')
    .option('--since <time>', 'only what happened since: 7d, 12h, 2026-11-20', moment)
    .option('-l, --limit <n>', 'lines of each list', listLength, 20)
    .option('-a, --all', 'of all folders')
    .option('--json', 'as one JSON object');
  return withHelpEnd(stats, {
    examples: [
      ['codetether stats', 'of this repository'],
      ['codetether stats --tools --since 7d', 'the tool calls of a week'],
      ['codetether stats --file src/due.js', 'who has changed it'],
      ['codetether stats --all --json', 'of all folders, for a program'],
    ],
    exitCodes: shortExitCodes,
    more: 'docs/commands.md',
  }).action(async (options: StatsOptions) => {
    process.exitCode = await show(options);
  });
}

async function show(options: StatsOptions): Promise<number> {
  const context = openContext();
  const { all = false, tool, file, since, limit } = options;
  const here = realpath(context.cwd);
  const folder = all ? [] : [...new Set([findRepository(here) ?? here, here])];
  const query = { folder, tool, file, since: since?.toISOString(), limit };
  const view = await ask(context, (client) => client.stats(query));
  const { statsJson, statsLines } = await import('../output/stats.ts');
  const where = all ? 'all folders' : (folder[0] ?? here);
  if (options.json === true) print(context.stdout, [JSON.stringify(statsJson(view, { ...options, where }))]);
  else
    print(
      context.stdout,
      statsLines(view, { ...options, where, look: stdoutLook(context), onTerminal: context.stdout.isTTY }),
    );
  return exitCodes.completed;
}

/** `7d`, `12h30m` before now, or a day or time. */
function moment(text: string): Date {
  const date = /^\d{4}-\d\d/.test(text) ? new Date(text) : new Date(Date.now() - timeSpan(text));
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('It must be a time such as 7d, 12h or 2026-11-20.');
  return date;
}

/** `500` at most: what the API accepts. */
function listLength(text: string): number {
  const value = wholeNumber(text);
  if (value > 500) throw new InvalidArgumentError('It must be 500 or less.');
  return value;
}
