import { Command } from 'commander';
import type { CleanupQuery, CleanupView } from '../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../domain/errors.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { counted } from '../output/text.ts';
import { ask, openContext, print } from './ralph/context.ts';
import { withHelpEnd } from './ralph/options.ts';

type Entry = CleanupView['entries'][number];

interface CleanupOptions {
  readonly apply?: boolean;
  readonly dryRun?: boolean;
  readonly worktreesOnly?: boolean;
  readonly artifacts?: boolean;
  readonly json?: boolean;
}

/** `codetether cleanup`: what runs that are over have left in repositories. */
export function command(): Command {
  const cleanup = new Command('cleanup')
    .summary('show what runs have left behind, and remove it')
    .description(
      'Prints the worktrees, branches and refs that runs which are over have left in their repositories. Removes nothing without --apply. Worktrees of stories that have not passed are kept: the next start of the run goes on in them.',
    )
    .option('--apply', 'remove what is left over')
    .option('-d, --dry-run', 'remove nothing (the default)')
    .option('--worktrees-only', 'only worktrees; their branches stay')
    .option(
      '--artifacts',
      'only build folders that git ignores (dist, target, coverage, …), also in worktrees that are kept',
    )
    .option('--json', 'as one JSON object');
  return withHelpEnd(cleanup, {
    examples: [
      ['codetether cleanup', 'only look'],
      ['codetether cleanup --apply', 'remove what is left over'],
      ['codetether cleanup --artifacts --apply', 'make room, and keep all work'],
      ['codetether cleanup --json', 'for a program'],
    ],
    exitCodes: [
      [0, 'done'],
      [1, 'something could not be removed'],
      [2, 'the command line is not right'],
      [75, 'temporary failure: the same command can work later'],
    ],
    more: 'docs/commands.md',
  }).action(async (options: CleanupOptions) => {
    process.exitCode = await cleanUp(options);
  });
}

async function cleanUp(options: CleanupOptions): Promise<number> {
  const { apply = false, dryRun = false, worktreesOnly = false, artifacts = false, json = false } = options;
  if (apply && dryRun) throw new CodetetherError('usage', '--apply and --dry-run exclude each other');
  if (worktreesOnly && artifacts)
    throw new CodetetherError('usage', '--worktrees-only and --artifacts exclude each other');
  const context = openContext();
  const query: CleanupQuery = worktreesOnly ? { what: 'worktrees' } : artifacts ? { what: 'artifacts' } : {};
  const view = await ask(context, (client) => client.cleanUp(apply, query));
  const success = !view.entries.some((entry) => entry.state === 'failed');
  if (json) {
    const cleaned = view.entries.filter((entry) => entry.state === 'removed').length;
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, applied: apply, cleaned, success, ...view }))]);
  } else {
    print(context.stdout, view.entries.map(line));
    print(context.stderr, [closing(view, options)]);
  }
  return success ? exitCodes.completed : exitCodes.error;
}

function line({ state, path, branch, runId, error }: Entry): string {
  const what = path ?? branch ?? '';
  return [state, what, runId ?? '(no run of this database)', ...(error === undefined ? [] : [error])].join('\t');
}

function closing({ entries, more }: CleanupView, { apply, worktreesOnly, artifacts }: CleanupOptions): string {
  const left = entries.filter((entry) => entry.state === 'left-over').length;
  const rest = more === 0 ? '' : `; ${more} more are not shown`;
  if (apply === true)
    return `${counted(entries.filter(({ state }) => state === 'removed').length, 'thing')} removed${rest}`;
  const flag = worktreesOnly === true ? ' --worktrees-only' : artifacts === true ? ' --artifacts' : '';
  return left === 0
    ? `nothing is left over${rest}`
    : `${counted(left, 'thing')} left over${rest}: codetether cleanup${flag} --apply`;
}
