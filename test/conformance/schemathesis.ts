import { readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { makeData } from './schemathesis-data.ts';
import type { CaseResult, Kit, KitWorld } from './kit.ts';

const version = '4.32.5';
const pythons = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11'] as const;
const isNewEnough = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))';

const Report = z.object({
  failures: z.array(z.object({ code: z.string(), title: z.string(), operations: z.array(z.string()) })),
  errors: z.array(z.looseObject({})),
  valid_rates: z.record(z.string(), z.unknown()),
  operations: z.looseObject({ skip_reasons: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]) }),
});

/**
 * Makes up requests from the OpenAPI document, and holds every answer against it. A case is an operation, `GET:/v1/runs`; one
 * that fails is a case for each kind of failure, `<code>/GET:/v1/runs`.
 */
export const schemathesis: Kit = {
  name: 'schemathesis',
  run: async (world) => {
    const python = await findPython(world);
    if (python === undefined) return { kind: 'skipped', why: 'there is no Python 3.11 or newer with venv' };
    const program = await install(world, python);
    const url = await world.serve('plain');
    const token = await world.token();
    const configuration = join(world.reportFolder, 'schemathesis.toml');
    await writeFile(configuration, await makeData(world, url));
    const from = [
      '--config-file',
      configuration,
      'run',
      `${url}/openapi.json`,
      '--header',
      `Authorization: Bearer ${token}`,
    ];
    const how = ['--max-examples', '50', '--seed', '1', '--continue-on-failure', '--request-timeout', '30'];
    const report = ['--report', 'json', '--report-dir', world.reportFolder];
    const { output } = await world.command([program, ...from, ...how, ...report], { cwd: world.reportFolder });
    await writeFile(join(world.reportFolder, 'output.txt'), output);
    const name = (await readdir(world.reportFolder)).find((file) => /^json-.*\.json$/.test(file));
    if (name === undefined) throw new Error(`schemathesis wrote no report: ${output.slice(-2_000)}`);
    const read = Report.parse(JSON.parse(await readFile(join(world.reportFolder, name), 'utf8')));
    return { kind: 'ran', cases: casesOf(read) };
  },
};

async function findPython(world: KitWorld): Promise<string | undefined> {
  for (const python of pythons) {
    const found = await world.command([python, '-c', isNewEnough]).catch(() => undefined);
    if (found?.code === 0) return python;
  }
  return undefined;
}

async function install(world: KitWorld, python: string): Promise<string> {
  const folder = join(world.cacheFolder, `venv-${version}`);
  const program = join(folder, 'bin', 'schemathesis');
  if (existsSync(program)) return program;
  for (const command of [
    [python, '-m', 'venv', '--clear', folder],
    [join(folder, 'bin', 'pip'), 'install', '--quiet', `schemathesis==${version}`],
  ] as const) {
    const { code, output } = await world.command([...command]);
    if (code !== 0) throw new Error(`${command.join(' ')}: ${output.slice(-2_000)}`);
  }
  return program;
}

function casesOf({ failures, errors, valid_rates: rates, operations }: z.output<typeof Report>): readonly CaseResult[] {
  const nameOf = (operation: string): string => operation.replace(' ', ':');
  const wrong = new Set(failures.flatMap((failure) => failure.operations));
  const reasons = operations.skip_reasons;
  return [
    ...Object.keys(rates)
      .filter((operation) => !wrong.has(operation))
      .map((operation): CaseResult => ({ name: nameOf(operation), outcome: 'passed' })),
    ...failures.flatMap(({ code, title, operations: met }) =>
      met.map((operation): CaseResult => ({ name: `${code}/${nameOf(operation)}`, outcome: 'failed', why: title })),
    ),
    ...errors.map((error): CaseResult => ({
      name: 'error',
      outcome: 'failed',
      why: JSON.stringify(error).slice(0, 500),
    })),
    ...(Array.isArray(reasons) ? reasons : Object.keys(reasons)).map((why): CaseResult => ({
      name: 'operations',
      outcome: 'skipped',
      why,
    })),
  ];
}
