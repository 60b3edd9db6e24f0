import { Command } from 'commander';
import { processEnvironment } from '../../services/config/environment.ts';
import { locate } from '../../services/config/paths.ts';
import { stepLines } from '../output/steps.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { lookOf, paint } from '../output/terminal.ts';
import { withStackHelp } from './help-end.ts';

/** `codetether down`: ends the local stack, also one whose supervisor was killed. */
export function command(): Command {
  const down = new Command('down')
    .summary('end them; runs go on when they are back')
    .description(
      'Ends all processes of the local stack of this data dir. Data and runs are kept: the next codetether up, or the next command that needs the stack, goes on with them.',
    )
    .option('--json', 'print what was ended as JSON')
    .action(async (options: { readonly json?: boolean }) => {
      await stop(options.json === true);
    });
  return withStackHelp(down, {
    examples: [
      ['codetether down', 'end it'],
      ['codetether down && codetether up', "start anew, with this shell's settings only"],
      ['CODETETHER_DATA_DIR=/tmp/other codetether down', 'end the one of another data dir'],
    ],
    exitCodes: [
      [0, 'nothing runs any more'],
      [1, 'something could not be ended'],
    ],
  });
}

async function stop(asJson: boolean): Promise<void> {
  const environment = processEnvironment();
  const { dataDir } = locate({ environment });
  const { stopStack } = await import('../../services/stack/stop-stack.ts');
  const steps = stepLines(process.stderr, environment);
  if (process.stderr.isTTY) steps.show({ kind: 'step', text: 'ending the local stack' });
  const result = await stopStack(dataDir).finally(() => steps.clear());
  if (asJson) {
    process.stdout.write(`${JSON.stringify(snakeKeys({ dataDir, ...result }), null, 2)}\n`);
    return;
  }
  const look = lookOf(process.stdout, environment);
  const sign = paint(look.signs.passed, 'good', look);
  if (result.ended.length === 0) process.stdout.write(`${sign} nothing was running\n`);
  else {
    const how = result.wasAbandoned ? ' (their supervisor had been killed)' : '';
    process.stdout.write(`${sign} ended ${result.ended.join(', ')}${how}\n  data and runs are kept in ${dataDir}\n`);
  }
}
