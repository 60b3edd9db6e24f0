import { expect, test } from 'vitest';
import { temporalCli } from '../support/engine.ts';
import { torture } from '../torture/torture.ts';

test(
  'ten kills -9 at random and at named points leave nothing lost, twice or behind',
  async () => {
    const said: string[] = [];
    const report = await torture({
      kills: 10,
      seed: 4,
      stories: 8,
      modelDelayMs: 100,
      temporalCli: await temporalCli(),
      say: (line) => said.push(line),
    });
    expect(report.violations, said.join('\n')).toEqual([]);
    expect(report.runs.reduce((sum, { kills }) => sum + kills.length, 0)).toBe(10);
  },
  // A stack is started anew for each run.
  300_000,
);
