/** `npm run conformance`: the official kits against a stack of its own. Exit 1 for any fault that is not known, or not there any more. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../services/config/config.ts';
import type { Kit } from './kit.ts';
import { acts } from './acts.ts';
import { tck03, tck10 } from './a2a-tck.ts';
import { judge, readKnownFaults } from './known-faults.ts';
import { mcp } from './mcp.ts';
import { schemathesis } from './schemathesis.ts';
import { startConformanceRun } from './world.ts';

const kits: readonly Kit[] = [mcp, schemathesis, tck10, tck03, acts];
const names = kits.map(({ name }) => name);

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: names },
    reports: { type: 'string' },
  },
});
const unknown = values.only.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there is no kit ${unknown.join(', ')}; kits are ${names.join(', ')}\n`);
  process.exit(2);
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const run = await startConformanceRun({
  cacheFolder: join(loadConfig().cacheDir, 'kits'),
  reportFolder: values.reports === undefined ? undefined : resolve(values.reports),
  signal: stop.signal,
});
const total = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const kit of kits.filter(({ name }) => values.only.includes(name))) {
    const began = Date.now();
    const judged = await runKit(kit).catch((error: unknown) => ({
      passed: 0,
      failed: 1,
      skipped: 0,
      lines: [`failed  ${kit.name}: ${error instanceof Error ? error.message : String(error)}`],
    }));
    for (const line of judged.lines) say(line);
    const counts = `${judged.passed} passed, ${judged.failed} failed, ${judged.skipped} skipped`;
    say(`${kit.name}: ${counts} (${((Date.now() - began) / 1_000).toFixed(0)} s)\n`);
    for (const name of ['passed', 'failed', 'skipped'] as const) total[name] += judged[name];
    if (stop.signal.aborted) break;
  }
} finally {
  await run.end();
}
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 || stop.signal.aborted ? 1 : 0;

async function runKit(kit: Kit) {
  const result = await kit.run(await run.worldOf(kit.name));
  if (result.kind === 'skipped') {
    return { passed: 0, failed: 0, skipped: 1, lines: [`skipped ${kit.name}: ${result.why}`] };
  }
  return judge(result.cases, await readKnownFaults(kit.name));
}
