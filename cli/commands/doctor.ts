import { Command } from 'commander';
import { processEnvironment } from '../../services/config/environment.ts';
import type { Check } from '../../services/stack/doctor.ts';
import { inSigns } from '../output/signs.ts';
import { lookOf, paint } from '../output/terminal.ts';
import type { Look } from '../output/terminal.ts';
import { cleanLine } from '../output/text.ts';
import { withStackHelp } from './help-end.ts';

/** `codetether doctor`: what is missing or broken, and the command that mends it. Starts nothing. */
export function command(): Command {
  const doctor = new Command('doctor')
    .summary('check all that codetether needs, and name the mend')
    .description(
      'Checks all that codetether needs on this machine. Each line that is not right ends with the command that mends it.',
    )
    .option('--json', 'print the checks as JSON')
    .action(async (options: { readonly json?: boolean }) => {
      await check(options.json === true);
    });
  return withStackHelp(doctor, {
    examples: [
      ['codetether doctor', 'look at everything'],
      ['codetether doctor --json', 'the same for programs'],
      ['codetether doctor || codetether logs', 'and, where something is broken, what was logged'],
    ],
    exitCodes: [
      [0, 'nothing is broken'],
      [1, 'something is: the lines with the cross'],
      [2, 'a setting is not right'],
    ],
  });
}

async function check(asJson: boolean): Promise<void> {
  const environment = processEnvironment();
  const [{ loadConfig }, { examine }] = await Promise.all([
    import('../../services/config/config.ts'),
    import('../../services/stack/doctor.ts'),
  ]);
  const checks = await examine({ config: loadConfig({ environment }), environment });
  const look = lookOf(process.stdout, environment);
  const text = asJson ? JSON.stringify({ checks }, null, 2) : checks.map((each) => checkLine(each, look)).join('\n');
  process.stdout.write(`${text}\n`);
  if (checks.some(({ result }) => result === 'failed')) process.exitCode = 1;
}

function checkLine({ result, text, mend }: Check, look: Look): string {
  const signs = {
    ok: paint(look.signs.passed, 'good', look),
    warning: paint(look.signs.warning, 'warn', look),
    failed: paint(look.signs.failed, 'bad', look),
  };
  const end = mend === null ? '' : `    ${paint(cleanLine(inSigns(mend, look.signs)), 'bold', look)}`;
  return `${signs[result]} ${cleanLine(inSigns(text, look.signs))}${end}`;
}
