import { Command } from 'commander';
import { processEnvironment } from '../../services/config/environment.ts';
import { formatDuration } from '../output/format.ts';
import { stepLines } from '../output/steps.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { lookOf, paint } from '../output/terminal.ts';
import { withStackHelp } from './help-end.ts';
import { processColumns } from './status.ts';

/** `codetether up`: starts the local stack, or gives the running one this shell's settings. */
export function command(): Command {
  const up = new Command('up')
    .summary('start database, engine, worker and API in the background')
    .description('Starts the local stack of this data dir and waits until it answers. Does nothing when it runs.')
    .option('--json', 'print the processes as JSON')
    .action(async (options: { readonly json?: boolean }) => {
      await start(options.json === true);
    });
  return withStackHelp(up, {
    examples: [
      ['codetether up', 'start it'],
      ['CODETETHER_DATA_DIR=/tmp/other codetether up', 'another one beside it, with data of its own'],
      ['TEMPORAL_ADDRESS=host:7233 codetether up', 'on a Temporal server of your own'],
    ],
    exitCodes: [
      [0, 'it runs'],
      [1, 'it did not come up; what had been started is ended again'],
      [2, 'a setting is not right'],
      [75, 'temporary failure: a port is taken, the disk is full'],
    ],
  });
}

async function start(asJson: boolean): Promise<void> {
  const environment = processEnvironment();
  const from = Date.now();
  const [{ ensureStack }, { readStatus }] = await Promise.all([
    import('../../services/stack/ensure-stack.ts'),
    import('../../services/stack/status.ts'),
  ]);
  const steps = stepLines(process.stderr, environment);
  const access = await ensureStack({ onProgress: steps.show }).finally(() => steps.clear());
  const status = await readStatus(access.dataDir);
  if (asJson) {
    process.stdout.write(`${JSON.stringify(snakeKeys(status), null, 2)}\n`);
    return;
  }
  const look = lookOf(process.stdout, environment);
  const sign = paint(look.signs.passed, 'good', look);
  const what = access.started ? `up in ${formatDuration(Date.now() - from)}` : 'up already';
  const { listTable } = await import('../output/table.ts');
  const lines = [
    ...listTable(processColumns(status.processes, look), look, process.stdout.isTTY),
    `${sign} ${what}${access.temporalUiUrl === null ? '' : ` ${look.signs.separator} engine ui ${access.temporalUiUrl}`}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
