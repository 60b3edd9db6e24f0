import { Command } from 'commander';
import type { HostListView } from '../../domain/contracts/api.ts';
import { exitCodes } from '../../domain/errors.ts';
import { formatDay } from '../output/format.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { listTable } from '../output/table.ts';
import { ask, openContext, print, stdoutLook } from './ralph/context.ts';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';

type Host = HostListView['hosts'][number];

/** `codetether hosts`: the machines that work on runs. */
export function command(): Command {
  const hosts = new Command('hosts')
    .summary('show the machines that work on runs')
    .description(
      'Prints each host that has ever run a worker on this database: whether it is alive, how many of its slots are in use, on how many stories of shared runs it holds a lease. Off a terminal as tab-separated values. How to add one: docs/hosts.md.',
    )
    .option('--json', 'as one JSON object');
  return withHelpEnd(hosts, {
    examples: [
      ['codetether hosts', 'all of them'],
      ['codetether hosts --json', 'for a program'],
      ['codetether worker --help', 'how to start one'],
    ],
    exitCodes: shortExitCodes,
  }).action(async (options: { readonly json?: boolean }) => {
    process.exitCode = await list(options);
  });
}

async function list(options: { readonly json?: boolean }): Promise<number> {
  const context = openContext();
  const { hosts } = await ask(context, (client) => client.hosts());
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, hosts }))]);
    return exitCodes.completed;
  }
  const onTerminal = context.stdout.isTTY;
  const state = ({ alive, seenAt }: Host) =>
    alive ? 'alive' : `lost since ${onTerminal ? formatDay(seenAt, new Date()) : seenAt}`;
  const column = (title: string, cell: (host: Host) => string) => ({ title, cells: hosts.map(cell) });
  const columns = [
    column('id', ({ hostId }) => hostId),
    column('name', ({ name }) => name),
    column('state', state),
    column('slots', ({ alive, slots, slotsUsed }) => `${alive ? slotsUsed : 0} of ${slots}`),
    column('leases', ({ leases }) => String(leases)),
    column('version', ({ version }) => version),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), onTerminal));
  return exitCodes.completed;
}
