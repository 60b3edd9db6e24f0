import { Command } from 'commander';
import { processEnvironment } from '../../services/config/environment.ts';
import { locate } from '../../services/config/paths.ts';
import { readStatus } from '../../services/stack/status.ts';
import type { ProcessStatus, StackStatus } from '../../services/stack/status.ts';
import { formatElapsed } from '../output/format.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { listTable } from '../output/table.ts';
import type { Column } from '../output/table.ts';
import { lookOf, paint } from '../output/terminal.ts';
import type { Look } from '../output/terminal.ts';
import { withStackHelp } from './help-end.ts';

/** `codetether status`: what of the local stack runs. Starts nothing. */
export function command(): Command {
  const status = new Command('status')
    .summary('show the processes of the stack')
    .description('Shows the processes of the local stack of this data dir. Starts nothing.')
    .option('--json', 'print them as JSON')
    .action(async (options: { readonly json?: boolean }) => {
      await show(options.json === true);
    });
  return withStackHelp(status, {
    examples: [
      ['codetether status', 'what runs, since when, how large'],
      ['codetether status --json', 'the same for programs'],
      ['codetether status | cut -f1,3', 'off a terminal: tab-separated'],
    ],
    exitCodes: [[0, 'shown, whether it runs or not']],
  });
}

async function show(asJson: boolean): Promise<void> {
  const environment = processEnvironment();
  const { dataDir } = locate({ environment });
  const status = await readStatus(dataDir);
  if (asJson) {
    process.stdout.write(`${JSON.stringify(snakeKeys(status), null, 2)}\n`);
    return;
  }
  const look = lookOf(process.stdout, environment);
  if (status.processes.length > 0) {
    const table = listTable(processColumns(status.processes, look), look, process.stdout.isTTY);
    process.stdout.write(`${table.join('\n')}\n`);
  }
  // What goes with the list is for people; the list alone is the result.
  process.stderr.write(`${notes(status, lookOf(process.stderr, environment)).join('\n')}\n`);
}

function notes(status: StackStatus, look: Look): readonly string[] {
  const warning = paint(look.signs.warning, 'warn', look);
  const problems = status.processes.flatMap(({ name, problem, lastEnd, restarts, status: now }) => {
    if (problem !== null) return [`${warning} ${name}: ${problem}`];
    return restarts > 0 && now !== 'running'
      ? [`${warning} ${name}: ${lastEnd ?? 'ended'}    codetether logs ${name}`]
      : [];
  });
  switch (status.condition) {
    case 'stopped':
      return [
        `the local stack is not running; it starts when it is needed, or with codetether up`,
        `data dir   ${status.dataDir}`,
      ];
    case 'abandoned':
      return [
        ...problems,
        `${warning} the supervisor was killed: what ends now is not started again`,
        'go on      codetether up      end it      codetether down',
      ];
    case 'running':
      return [
        ...problems,
        `data dir   ${status.dataDir}`,
        ...(status.temporalUiUrl === null ? [] : [`engine ui  ${status.temporalUiUrl}`]),
        ...(status.embedded?.engine === false ? [`engine     ${status.temporalAddress} (yours)`] : []),
        ...(status.embedded?.database === false ? ['database   DATABASE_URL (yours)'] : []),
      ];
  }
}

export function processColumns(processes: readonly ProcessStatus[], look: Look): readonly Column[] {
  const column = (title: string, cell: (process: ProcessStatus) => string | null): Column => ({
    title,
    cells: processes.map((process) => cell(process) ?? look.signs.unknown),
  });
  return [
    column('process', ({ name }) => name),
    column('status', ({ status }) => status),
    column('pid', ({ pid }) => pid?.toString() ?? null),
    column('uptime', ({ uptimeMs }) => (uptimeMs === null ? null : formatElapsed(uptimeMs))),
    column('port', ({ port }) => port?.toString() ?? null),
    column('memory', ({ memoryBytes }) => (memoryBytes === null ? null : `${Math.round(memoryBytes / 1024 ** 2)} MB`)),
    column('restarts', ({ restarts }) => restarts.toString()),
  ];
}
