import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import type { CaseResult, Kit, KitWorld } from './kit.ts';

const packageFolder = fileURLToPath(new URL('../../node_modules/@modelcontextprotocol/conformance', import.meta.url));
/** What the package asks of a server and of a client of that revision. */
const revisions = ['2025-11-25', '2026-07-28'] as const;
type Revision = (typeof revisions)[number];

/** What can be asked of a server that has none of the kit's tools, resources and prompts. */
const productScenarios: { readonly [revision in Revision]: readonly string[] } = {
  '2025-11-25': [
    'server-initialize',
    'ping',
    'tools-list',
    'resources-list',
    'prompts-list',
    'dns-rebinding-protection',
  ],
  '2026-07-28': [
    'server-stateless',
    'tools-list',
    'resources-list',
    'prompts-list',
    'sep-2164-resource-not-found',
    'server-sse-multiple-streams',
    'dns-rebinding-protection',
    'caching',
    'http-header-validation',
  ],
};

/** What a client can do that logs in nowhere and answers no questions, as that of our agents. */
const clientScenarios: { readonly [revision in Revision]: readonly string[] } = {
  '2025-11-25': ['initialize', 'tools_call', 'sse-retry'],
  '2026-07-28': [
    'tools_call',
    'request-metadata',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
  ],
};

const Requirements = z.object({ server: z.array(z.string()), client: z.array(z.string()) });
const Checks = z.array(
  z.object({
    id: z.string(),
    status: z.enum(['SUCCESS', 'FAILURE', 'WARNING', 'SKIPPED', 'INFO']),
    errorMessage: z.string().optional(),
  }),
);

/**
 * `@modelcontextprotocol/conformance`: all that each revision requires of the fixtures, what needs none of the product, and of the
 * client of our agents what it is for.
 * A scenario that fails is a case for each check of it that does: `fixtures/2026-07-28/caching:<check>`.
 */
export const mcp: Kit = {
  name: 'mcp',
  run: async (world) => {
    const url = await world.serve('hybrid');
    const cases: CaseResult[] = [];
    for (const revision of revisions) {
      cases.push(...(await fixtures(world, { url: `${url}/conformance/mcp`, revision })));
      cases.push(...(await product(world, { url: `${url}/mcp`, revision })));
      cases.push(...(await client(world, revision)));
    }
    return { kind: 'ran', cases };
  },
};

interface Target {
  readonly url: string;
  readonly revision: Revision;
}

async function fixtures(world: KitWorld, { url, revision }: Target): Promise<readonly CaseResult[]> {
  const { server } = await requirements(revision);
  const folder = join(world.reportFolder, 'fixtures', revision);
  const output = await runKit(world, ['server', '--url', url, '--requirements', revision, '-o', folder]);
  const results = await readResults(folder);
  const required = server.flatMap((scenario) => casesOf(`fixtures/${revision}/`, scenario, results, output));
  const others = [...results].filter(([scenario]) => !server.includes(scenario));
  return [
    ...required,
    ...others.map(([scenario, checks]): CaseResult => ({
      name: `fixtures/${revision}/${scenario}`,
      outcome: 'skipped',
      why: `not required: ${failed(checks).length} of ${checks.length} checks fail`,
    })),
  ];
}

async function product(world: KitWorld, { url, revision }: Target): Promise<readonly CaseResult[]> {
  const folder = join(world.reportFolder, 'product', revision);
  const cases: CaseResult[] = [];
  for (const scenario of productScenarios[revision]) {
    const target = ['--scenario', scenario, '--spec-version', revision, '-o', folder];
    const output = await runKit(world, ['server', '--url', url, ...target]);
    cases.push(...casesOf(`product/${revision}/`, scenario, await readResults(folder), output));
  }
  return cases;
}

async function client(world: KitWorld, revision: Revision): Promise<readonly CaseResult[]> {
  const program = fileURLToPath(new URL('mcp-client.ts', import.meta.url));
  const folder = join(world.reportFolder, 'client', revision);
  const cases: CaseResult[] = [];
  for (const scenario of (await requirements(revision)).client) {
    if (!clientScenarios[revision].includes(scenario)) {
      const why = 'the client of our agents logs in nowhere and answers no questions';
      cases.push({ name: `client/${revision}/${scenario}`, outcome: 'skipped', why });
      continue;
    }
    const target = ['--scenario', scenario, '--spec-version', revision, '-o', folder];
    const output = await runKit(world, ['client', '--command', `${process.execPath} ${program}`, ...target]);
    cases.push(...casesOf(`client/${revision}/`, scenario, await readResults(folder), output));
  }
  return cases;
}

async function requirements(revision: Revision): Promise<z.output<typeof Requirements>> {
  return Requirements.parse(parse(await readFile(join(packageFolder, 'requirements', `${revision}.yaml`), 'utf8')));
}

async function runKit(world: KitWorld, args: readonly string[]): Promise<string> {
  const program = join(packageFolder, 'dist', 'index.js');
  return (await world.command([process.execPath, program, ...args], { cwd: world.reportFolder })).output;
}

type Results = ReadonlyMap<string, z.output<typeof Checks>>;

/** By scenario; folders are called `server-<scenario>-<time>`, or without `server-`. */
async function readResults(folder: string): Promise<Results> {
  const results = new Map<string, z.output<typeof Checks>>();
  for (const entry of await readdir(folder, { recursive: true }).catch(() => [])) {
    const [, scenario] = /^(?:server-)?(.+?)-\d{4}-\d\d-\d\dT[^/]*\/checks\.json$/.exec(entry) ?? [];
    if (scenario !== undefined)
      results.set(scenario, Checks.parse(JSON.parse(await readFile(join(folder, entry), 'utf8'))));
  }
  return results;
}

function casesOf(prefix: string, scenario: string, results: Results, output: string): readonly CaseResult[] {
  const name = `${prefix}${scenario}`;
  const checks = results.get(scenario);
  if (checks === undefined || !checks.some(({ status }) => status === 'SUCCESS' || status === 'FAILURE')) {
    return [{ name, outcome: 'failed', why: `the kit says nothing about it: ${output.trim().slice(-500)}` }];
  }
  const wrong = failed(checks);
  if (wrong.length === 0) return [{ name, outcome: 'passed' }];
  return wrong.map(({ id, errorMessage = '' }) => ({
    name: `${name}:${id}`,
    outcome: 'failed',
    why: errorMessage.split('\n')[0] ?? '',
  }));
}

function failed(checks: z.output<typeof Checks>): z.output<typeof Checks> {
  return checks.filter(({ status }) => status === 'FAILURE');
}
