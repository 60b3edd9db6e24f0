import { Command } from 'commander';
import type { CleanupView } from '../../domain/contracts/api.ts';
import { exitCodes } from '../../domain/errors.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { counted } from '../output/text.ts';
import { ask, openContext, print } from './ralph/context.ts';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';

type Entry = CleanupView['entries'][number];

/** `codetether cleanup`: what runs that are over have left in repositories. */
export function command(): Command {
  const cleanup = new Command('cleanup')
    .summary('show what runs have left behind, and remove it')
    .description(
      'Prints the worktrees, branches and refs that runs which are over have left in their repositories. Removes nothing without --apply. Worktrees of stories that have not passed are kept: the next start of the run goes on in them.',
    )
    .option('--apply', 'remove what is left over')
    .option('--json', 'as one JSON object');
  return withHelpEnd(cleanup, {
    examples: [
      ['codetether cleanup', 'only look'],
      ['codetether cleanup --apply', 'remove what is left over'],
      ['codetether cleanup --json', 'for a program'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (options: { readonly apply?: boolean; readonly json?: boolean }) => {
    process.exitCode = await cleanUp(options);
  });
}

async function cleanUp(options: { readonly apply?: boolean; readonly json?: boolean }): Promise<number> {
  const context = openContext();
  const apply = options.apply === true;
  const view = await ask(context, (client) => client.cleanUp(apply));
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...view }))]);
  } else {
    print(context.stdout, view.entries.map(line));
    print(context.stderr, [closing(view, apply)]);
  }
  return view.entries.some((entry) => entry.state === 'failed') ? exitCodes.error : exitCodes.completed;
}

function line({ state, path, branch, runId, error }: Entry): string {
  const what = path ?? branch ?? '';
  return [state, what, runId ?? '(no run of this database)', ...(error === undefined ? [] : [error])].join('\t');
}

function closing({ entries, more }: CleanupView, apply: boolean): string {
  const left = entries.filter((entry) => entry.state === 'left-over').length;
  const rest = more === 0 ? '' : `; ${more} more are not shown`;
  if (apply) return `${counted(entries.filter((entry) => entry.state === 'removed').length, 'thing')} removed${rest}`;
  return left === 0
    ? `nothing is left over${rest}`
    : `${counted(left, 'thing')} left over${rest}: codetether cleanup --apply`;
}
