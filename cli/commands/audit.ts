import { Command } from 'commander';
import type { AuditView } from '../../domain/contracts/access-api.ts';
import { exitCodes } from '../../domain/errors.ts';
import { formatDay } from '../output/format.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { listTable } from '../output/table.ts';
import { ask, openContext, print, stdoutLook } from './ralph/context.ts';
import { shortExitCodes, wholeNumber, withHelpEnd } from './ralph/options.ts';

interface AuditOptions {
  readonly limit: number;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** `codetether audit`: who did what with tokens and workspaces, and what was denied. */
export function command(): Command {
  const audit = new Command('audit')
    .summary('what was done with tokens and workspaces, and what was denied')
    .description(
      'Prints the newest entries first. An entry can be neither changed nor taken out without it being seen: each one holds the hash of the one before it.',
    )
    .option('-n, --limit <count>', 'how many', wholeNumber, 50)
    .option('--check', 'look whether every entry is as it was written; exit 1 where one is not')
    .option('--json', 'as one JSON object');
  return withHelpEnd(audit, {
    examples: [
      ['codetether audit', 'the newest fifty'],
      ['codetether audit --check', 'for a nightly job'],
    ],
    exitCodes: shortExitCodes,
    more: 'docs/serving.md',
  }).action(async (options: AuditOptions) => {
    process.exitCode = options.check === true ? await check(options) : await list(options);
  });
}

async function check({ json = false }: AuditOptions): Promise<number> {
  const context = openContext();
  const { broken } = await ask(context, (client) => client.checkAudit());
  if (json) print(context.stdout, [JSON.stringify({ schema_version: 1, broken })]);
  else
    print(context.stdout, [
      broken === null
        ? 'every entry is as it was written'
        : `entry ${broken} was changed, or the one before it is missing`,
    ]);
  return broken === null ? exitCodes.completed : exitCodes.error;
}

async function list({ limit, json = false }: AuditOptions): Promise<number> {
  const context = openContext();
  const { entries } = await ask(context, (client) => client.readAudit({ limit }));
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, entries }))]);
    return exitCodes.completed;
  }
  const onTerminal = context.stdout.isTTY;
  const column = (title: string, cell: (entry: AuditView['entries'][number]) => string) => ({
    title,
    cells: entries.map(cell),
  });
  const columns = [
    column('seq', ({ seq }) => String(seq)),
    column('at', ({ at }) => (onTerminal ? formatDay(at, new Date()) : at)),
    column('who', ({ principal }) => principal),
    column('outcome', ({ outcome }) => outcome),
    column('what', ({ action }) => action),
    column('detail', ({ detail }) => JSON.stringify(detail)),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), onTerminal));
  return exitCodes.completed;
}
