import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJUnit } from './junit.ts';
import type { CaseResult, Kit, KitWorld } from './kit.ts';
import { sourceOf } from './sources.ts';

/** Asks in each transport that the card names: with all capabilities (`on/`), and without optional ones (`off/`). */
export const tck10: Kit = {
  name: 'tck-1.0',
  run: async (world) => {
    const source = sourceOf('a2a-tck-1.0');
    if (source.kind === 'missing') return { kind: 'skipped', why: source.why };
    const python = await prepared(world, [source.folder]);
    const cases: CaseResult[] = [];
    for (const [prefix, card] of [
      ['on', 'pure'],
      ['off', 'minimal'],
    ] as const) {
      const args = ['tests/compatibility', '--sut-host', await world.serve(card)];
      cases.push(...(await pytest(world, { python, folder: source.folder, prefix, args })));
    }
    return { kind: 'ran', cases };
  },
};

const categories = {
  mandatory: ['tests/mandatory', '-m', 'mandatory_jsonrpc or mandatory_protocol'],
  capabilities: ['tests/optional/capabilities'],
  quality: ['tests/optional/quality'],
  features: ['tests/optional/features'],
} as const;

/** What makes an agent one of A2A 0.3, what it says that it can, and how well, over each transport. */
export const tck03: Kit = {
  name: 'tck-0.3',
  run: async (world) => {
    const source = sourceOf('a2a-tck-0.3');
    if (source.kind === 'missing') return { kind: 'skipped', why: source.why };
    // Its requirements leave two out.
    const requirements = ['-r', join(source.folder, 'requirements.txt'), 'python-dotenv', 'pyOpenSSL'];
    const python = await prepared(world, requirements);
    const url = `${await world.serve('hybrid')}/a2a/jsonrpc`;
    const cases: CaseResult[] = [];
    for (const transport of ['jsonrpc', 'rest', 'grpc'])
      for (const [category, selected] of Object.entries(categories)) {
        const args = [...selected, '--sut-url', url, '--test-scope', 'all', '--transports', transport];
        const prefix = `${transport}/${category}`;
        cases.push(...(await pytest(world, { python, folder: source.folder, prefix, args })));
      }
    return { kind: 'ran', cases };
  },
};

/** The Python of an environment that stays, with what a kit needs. */
async function prepared(world: KitWorld, packages: readonly string[]): Promise<string> {
  const python = join(world.cacheFolder, 'bin', 'python');
  if (existsSync(join(world.cacheFolder, 'bin', 'pytest'))) return python;
  await succeed(world, ['python3', '-m', 'venv', world.cacheFolder]);
  await succeed(world, [python, '-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
}

async function succeed(world: KitWorld, command: readonly [string, ...string[]]): Promise<void> {
  const { code, output } = await world.command(command);
  if (code !== 0) throw new Error(`${command.join(' ')}: ${output.trim().slice(-1_000)}`);
}

async function pytest(
  world: KitWorld,
  run: {
    readonly python: string;
    readonly folder: string;
    readonly prefix: string;
    readonly args: readonly string[];
  },
): Promise<readonly CaseResult[]> {
  const report = join(world.reportFolder, `${run.prefix.replaceAll('/', '-')}.xml`);
  const quiet = ['-q', '--tb=line', '-p', 'no:cacheprovider', `--junitxml=${report}`];
  const { output } = await world.command([run.python, '-B', '-m', 'pytest', ...run.args, ...quiet], {
    cwd: run.folder,
  });
  const cases = readJUnit(await readFile(report, 'utf8').catch(() => ''));
  if (cases.length === 0) throw new Error(`pytest (${run.prefix}) has run nothing: ${output.trim().slice(-1_000)}`);
  return cases.map((one) => ({ ...one, name: `${run.prefix}/${one.name}` }));
}
