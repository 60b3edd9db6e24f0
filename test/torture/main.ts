/** `npm run torture -- --kills 200 --seed 7`: exit 1 on any violation. */
import { parseArgs } from 'node:util';
import { temporalCli } from '../support/engine.ts';
import { torture } from './torture.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    stories: { type: 'string', default: '20' },
    delay: { type: 'string', default: '150' },
  },
});
const startedMs = Date.now();
const report = await torture({
  kills: Number(values.kills),
  seed: Number(values.seed),
  stories: Number(values.stories),
  modelDelayMs: Number(values.delay),
  temporalCli: await temporalCli(),
  say: (line) => process.stdout.write(`${line}\n`),
});
const counts = new Map<string, number>();
for (const name of report.runs.flatMap(({ kills }) => kills)) counts.set(name, (counts.get(name) ?? 0) + 1);
process.stdout.write('\nkilled | times\n');
for (const [name, count] of [...counts].toSorted(([, one], [, other]) => other - one))
  process.stdout.write(`${name} | ${count}\n`);
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
process.stdout.write(
  `\nseed ${values.seed}: ${sum([...counts.values()])} kills, ${report.runs.length - 1} runs, ` +
    `${sum(report.runs.map(({ paidTwice }) => paidTwice))} calls paid twice, ` +
    `${sum(report.runs.map(({ inFlight }) => inFlight))} in flight at kills, ${report.violations.length} violations, ` +
    `${((Date.now() - startedMs) / 1_000).toFixed(0)} s\n`,
);
process.exitCode = report.violations.length === 0 ? 0 : 1;
