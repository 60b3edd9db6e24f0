/** Says of each thing that codetether needs whether it is there, and which command mends it. */
import { execFile } from 'node:child_process';
import { access, constants, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { findPostgres } from './postgres.ts';
import { chooseIdentity } from './postgres-identity.ts';
import { getFromSocket } from './probe.ts';
import { readStatus } from './status.ts';
import type { ProcessStatus, StackStatus } from './status.ts';
import { presentTemporalCli, serverVersionOf, temporalCliVersion } from './temporal-cli.ts';

export interface Check {
  /** Stable, for programs. */
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'failed';
  /** What was found, for people. */
  readonly text: string;
  /** The command that mends it; `null` when there is nothing to do. */
  readonly mend: string | null;
}

const oldestGit = [2, 38] as const;
const wantedFreeBytes = 2 * 1024 ** 3;

/** Never throws: what cannot be checked is a failed check. Starts nothing. */
export async function examine(options: {
  readonly config: Config;
  readonly environment: Environment;
}): Promise<readonly Check[]> {
  const { config } = options;
  const status = await readStatus(config.dataDir);
  return await Promise.all(
    [
      checkNode(),
      checkGit(options.environment),
      checkDataDir(config),
      checkDatabase(config, status),
      checkEngine(options, status),
      checkProcess('worker', status),
      checkApi(status),
      checkSandbox(),
      checkModelKeys(config),
      checkDisk(config),
    ].map(async (check) => await check),
  );
}

function checkNode(): Check {
  const version = process.versions.node;
  if (Number(version.split('.')[0]) >= 24) return ok('node', `node ${version}`);
  return failed('node', `node ${version}: 24 or newer is needed`, 'npm run setup');
}

async function checkGit(environment: Environment): Promise<Check> {
  const said = await output('git', ['--version'], environment);
  const version = /(\d+)\.(\d+)(?:\.\d+)*/.exec(said ?? '');
  if (version === null) return failed('git', 'git: not found on PATH', 'install git 2.38 or newer');
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major > oldestGit[0] || (major === oldestGit[0] && minor >= oldestGit[1])) return ok('git', `git ${version[0]}`);
  return failed('git', `git ${version[0]}: 2.38 or newer is needed`, 'install git 2.38 or newer');
}

async function checkDataDir(config: Config): Promise<Check> {
  let folder = config.dataDir;
  for (;;) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return ok('data-dir', `data dir ${config.dataDir}`);
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing || dirname(folder) === folder) break;
      folder = dirname(folder);
    }
  }
  return failed(
    'data-dir',
    `data dir ${config.dataDir}: ${folder} cannot be written`,
    'export CODETETHER_DATA_DIR=FOLDER',
  );
}

async function checkDatabase(config: Config, status: StackStatus): Promise<Check> {
  if (config.databaseUrl !== undefined) {
    const ready = await readiness(status);
    if (ready === undefined)
      return warning('postgres', 'PostgreSQL at DATABASE_URL: not tried, the stack is down', 'codetether up');
    if (ready['database'] === true) return ok('postgres', 'PostgreSQL at DATABASE_URL answers');
    return failed('postgres', 'PostgreSQL at DATABASE_URL does not answer', 'check DATABASE_URL and that server');
  }
  try {
    const binaries = findPostgres();
    await chooseIdentity();
    const said = await output(binaries.postgres, ['--version'], {});
    const version = /\d+(?:\.\d+)+/.exec(said ?? '')?.[0];
    if (version === undefined)
      return failed('postgres', `PostgreSQL: ${binaries.postgres} does not run`, 'npm install');
    return ofProcess('postgres', `PostgreSQL ${version}`, status);
  } catch (error) {
    return fromError('postgres', error);
  }
}

async function checkEngine(
  options: { readonly config: Config; readonly environment: Environment },
  status: StackStatus,
): Promise<Check> {
  const { config } = options;
  if (config.temporalAddress !== undefined) {
    const ready = await readiness(status);
    const name = `Temporal at ${config.temporalAddress}`;
    if (ready === undefined) return warning('temporal', `${name}: not tried, the stack is down`, 'codetether up');
    if (ready['engine'] === true) return ok('temporal', `${name} answers`);
    return failed('temporal', `${name} does not answer`, 'check TEMPORAL_ADDRESS and that server');
  }
  try {
    const { cli } = await presentTemporalCli(options);
    if (cli === undefined) {
      const text = `Temporal CLI ${temporalCliVersion}: not here yet, it is downloaded or built at the first start`;
      return warning('temporal', text, 'codetether up');
    }
    return ofProcess('temporal', `Temporal ${await serverVersionOf(cli.path)}`, status);
  } catch (error) {
    return fromError('temporal', error);
  }
}

async function checkApi(status: StackStatus): Promise<Check> {
  const check = checkProcess('api', status);
  if (check.result !== 'ok' || status.apiSocket === null) return check;
  const health = await getFromSocket(status.apiSocket, '/health', { timeoutMs: 2000 });
  if (health?.status === 200) return check;
  return failed('api', `API: its process runs and does not answer on ${status.apiSocket}`, 'codetether logs api');
}

function checkProcess(name: 'worker' | 'api', status: StackStatus): Check {
  return ofProcess(name, name === 'api' ? 'API' : 'worker', status);
}

function checkSandbox(): Check {
  return warning(
    'sandbox',
    'sandbox: none yet; tools are kept to the workspace by their paths only, and shell commands run as this user',
    null,
  );
}

function checkModelKeys(config: Config): Check {
  const providers = [
    ...(config.anthropicApiKey === undefined ? [] : ['anthropic']),
    ...(config.openaiApiKey === undefined ? [] : ['openai']),
    ...(config.googleApiKey === undefined ? [] : ['google']),
    ...(config.openaiCompatibleBaseUrl === undefined ? [] : ['openai-compatible']),
  ];
  if (providers.length > 0) return ok('model-keys', `models: ${providers.join(', ')}`);
  return warning(
    'model-keys',
    'models: no key found, only scripted/ will work',
    'export ANTHROPIC_API_KEY=… (or another)',
  );
}

async function checkDisk(config: Config): Promise<Check> {
  for (let folder = config.dataDir; ; folder = dirname(folder)) {
    const space = await statfs(folder).catch(() => undefined);
    if (space !== undefined) {
      const free = space.bavail * space.bsize;
      const text = `disk: ${gigabytes(free)} free at ${folder}`;
      if (free >= wantedFreeBytes) return ok('disk', text);
      return failed('disk', `${text}, ${gigabytes(wantedFreeBytes)} wanted`, 'free some space');
    }
    if (dirname(folder) === folder) return failed('disk', 'disk: free space is unknown', null);
  }
}

/** `up` mends what is not there; what was started and does not stay is for its log. */
function ofProcess(name: ProcessStatus['name'], title: string, status: StackStatus): Check {
  const found = status.processes.find((candidate) => candidate.name === name);
  if (status.condition === 'stopped')
    return warning(name, `${title}: not running, it is started when needed`, 'codetether up');
  if (found === undefined || status.condition === 'abandoned') {
    return failed(name, `${title}: nobody looks after it (the supervisor was killed)`, 'codetether up');
  }
  if (found.problem !== null) return failed(name, `${title}: ${found.problem}`, `codetether logs ${name}`);
  if (found.status !== 'running') {
    return failed(name, `${title}: ${found.lastEnd ?? 'not running'}`, `codetether logs ${name}`);
  }
  const facts = [
    ...(found.port === null ? [] : [`port ${found.port}`]),
    ...(found.memoryBytes === null ? [] : [`${Math.round(found.memoryBytes / 1024 ** 2)} MB`]),
    ...(found.restarts === 0 ? [] : [`started again ${found.restarts} times`]),
    ...(name === 'temporal' && status.temporalUiUrl !== null ? [`ui ${status.temporalUiUrl}`] : []),
  ];
  return ok(name, facts.length === 0 ? title : `${title} (${facts.join(', ')})`);
}

/** What the API says of the servers; `undefined` when it does not answer. */
async function readiness(status: StackStatus): Promise<{ readonly [name: string]: unknown } | undefined> {
  if (status.apiSocket === null) return undefined;
  const answer = await getFromSocket(status.apiSocket, '/ready', { timeoutMs: 5000 });
  return typeof answer?.body === 'object' && answer.body !== null ? { ...answer.body } : undefined;
}

function fromError(name: string, error: unknown): Check {
  if (!(error instanceof CodetetherError)) return failed(name, `${name}: ${String(error)}`, null);
  return failed(name, [error.message, ...error.problems].join('; '), error.next);
}

function ok(name: string, text: string): Check {
  return { name, result: 'ok', text, mend: null };
}

function warning(name: string, text: string, mend: string | null): Check {
  return { name, result: 'warning', text, mend };
}

function failed(name: string, text: string, mend: string | null): Check {
  return { name, result: 'failed', text, mend };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}

async function output(command: string, args: readonly string[], environment: Environment): Promise<string | undefined> {
  return await new Promise((resolve) => {
    execFile(command, [...args], { timeout: 10_000, env: { ...environment } }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}
