import { execFile, spawn } from 'node:child_process';
import { constants, createWriteStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { arch, platform, tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CodetetherError } from '../../domain/errors.ts';
import { variable } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { tryLock } from './lock.ts';
import type { Lock } from './lock.ts';
import type { OnProgress } from './progress.ts';

export const temporalCliVersion = '1.8.2';
/** The server inside that version. A database file is not shared between server versions, so older ones are not taken. */
const serverVersion = '1.31.2';

const connectTimeoutMs = 3_000;
const downloadTimeoutMs = 180_000;

export interface TemporalCli {
  readonly path: string;
  readonly source: 'setting' | 'path' | 'cache' | 'download' | 'build';
}

export interface FindTemporalCliOptions {
  readonly config: { readonly cacheDir: string; readonly temporalCli?: string | undefined };
  readonly environment: Environment;
  readonly onProgress: OnProgress;
  /** Where the official archives are; tests put another place here. */
  readonly archiveAddress?: string;
  /** Where Go usually is when it is not on PATH; tests have none. */
  readonly goFolders?: readonly string[];
}

/**
 * The `temporal` program, in this order: the setting, PATH, the tool cache, the official archive, a build from the
 * Go module proxy. The last two end in the cache, whole or not at all; of several callers at once one does the work.
 * @throws `engine-missing` with what was tried; `config-invalid` when the setting names something that does not run
 */
export async function findTemporalCli(options: FindTemporalCliOptions): Promise<TemporalCli> {
  const found = await presentTemporalCli(options);
  if (found.cli !== undefined) return found.cli;
  const { cacheDir } = options.config;
  const target = cachedPath(cacheDir);
  await mkdir(dirname(target), { recursive: true });
  const lock = await waitForLock(join(dirname(target), 'lock.db'), options.onProgress);
  try {
    if (await canRun(target)) return { path: target, source: 'cache' };
    const tried = [...found.tried];
    await removeUnfinished(dirname(target));
    for (const [source, obtain] of [
      ['download', download],
      ['build', build],
    ] as const) {
      const folder = await mkdtemp(join(dirname(target), `${source}-`));
      try {
        const path = await obtain(folder, options);
        await chmod(path, 0o755);
        await serverVersionOf(path);
        await rename(path, target);
        return { path: target, source };
      } catch (error) {
        tried.push(`${source === 'download' ? 'official archive' : 'build with Go'}: ${messageOf(error)}`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    throw new CodetetherError('engine-missing', undefined, { problems: tried });
  } finally {
    lock.release();
  }
}

/** The program where it is on this machine already; obtains nothing. */
export async function presentTemporalCli(
  options: Pick<FindTemporalCliOptions, 'config' | 'environment'>,
): Promise<{ readonly cli: TemporalCli | undefined; readonly tried: readonly string[] }> {
  const { config, environment } = options;
  if (config.temporalCli !== undefined) {
    const path = resolve(config.temporalCli);
    await serverVersionOf(path).catch((error: unknown) => {
      throw new CodetetherError('config-invalid', undefined, {
        problems: [`temporalCli (CODETETHER_TEMPORAL_CLI): ${path}; expected a temporal program (${messageOf(error)})`],
        cause: error,
      });
    });
    return { cli: { path, source: 'setting' }, tried: [] };
  }
  const tried = ['CODETETHER_TEMPORAL_CLI: not set'];
  const onPath = await findOnPath('temporal', environment);
  if (onPath === undefined) tried.push('temporal on PATH: none');
  else {
    const version = await serverVersionOf(onPath).catch(() => undefined);
    if (version !== undefined && isAtLeast(version, serverVersion))
      return { cli: { path: onPath, source: 'path' }, tried };
    tried.push(`temporal on PATH: ${onPath} has server ${version ?? 'unknown'}, ${serverVersion} or newer is needed`);
  }
  const cached = cachedPath(config.cacheDir);
  if (await canRun(cached)) return { cli: { path: cached, source: 'cache' }, tried };
  tried.push(`tool cache: ${cached} is not there`);
  return { cli: undefined, tried };
}

/** The version of the server inside the program. Throws when the program does not run or says nothing of it. */
export async function serverVersionOf(path: string): Promise<string> {
  const output = await new Promise<string>((done, reject) => {
    execFile(
      path,
      ['--version'],
      { timeout: 20_000, env: { PATH: '/usr/bin:/bin', HOME: tmpdir() } },
      (error, stdout) => (error === null ? done(stdout) : reject(error)),
    );
  });
  const version = /\bServer (\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`it says: ${output.trim().slice(0, 100)}`);
  return version;
}

async function download(folder: string, options: FindTemporalCliOptions): Promise<string> {
  const address = options.archiveAddress ?? `https://temporal.download/cli/archive/v${temporalCliVersion}`;
  const goArch = arch() === 'x64' ? 'amd64' : arch();
  const url = `${address}?platform=${platform()}&arch=${goArch}`;
  options.onProgress({
    kind: 'step',
    text: `looking for the Temporal CLI ${temporalCliVersion} at ${new URL(url).host}`,
  });
  const connecting = new AbortController();
  const timer = setTimeout(
    () => connecting.abort(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  const response = await fetch(url, {
    signal: AbortSignal.any([connecting.signal, AbortSignal.timeout(downloadTimeoutMs)]),
  }).finally(() => clearTimeout(timer));
  if (!response.ok || response.body === null) throw new Error(`${new URL(url).host} answers ${response.status}`);
  options.onProgress({ kind: 'step', text: `downloading the Temporal CLI ${temporalCliVersion}` });
  const archive = join(folder, 'archive.tar.gz');
  await pipeline(Readable.fromWeb(response.body), createWriteStream(archive));
  await run('tar', ['-xzf', archive, '-C', folder, 'temporal'], { cwd: folder, env: options.environment });
  return join(folder, 'temporal');
}

async function build(folder: string, options: FindTemporalCliOptions): Promise<string> {
  const { environment, onProgress } = options;
  const usual = (options.goFolders ?? ['/usr/local/go/bin', '/opt/homebrew/bin']).join(delimiter);
  const go = (await findOnPath('go', environment)) ?? (await findOnPath('go', { PATH: usual }));
  if (go === undefined) throw new Error('there is no go on PATH');
  // A copy: the package may be installed where we cannot write, and Go may want to touch go.sum.
  const module = fileURLToPath(new URL('temporal-cli', import.meta.url));
  for (const name of await readdir(module)) await copyFile(join(module, name), join(folder, name));
  onProgress({
    kind: 'note',
    text: `building the Temporal CLI ${temporalCliVersion} with Go, once: 3 to 7 minutes on two cores, kept in ${options.config.cacheDir}`,
  });
  const from = Date.now();
  const tell = (): void =>
    onProgress({ kind: 'step', text: `building the Temporal CLI, ${elapsed(Date.now() - from)}` });
  tell();
  const timer = setInterval(tell, 10_000);
  const path = join(folder, 'temporal');
  try {
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', path, 'github.com/temporalio/cli/cmd/temporal'];
    await run(go, args, {
      cwd: folder,
      env: { ...environment, ...goFolders(options), CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' },
    });
  } finally {
    clearInterval(timer);
  }
  return path;
}

/** Go asks for a home for its caches; without one they lie with our own. */
function goFolders(options: FindTemporalCliOptions): { readonly [name: string]: string } {
  if (variable(options.environment, 'HOME') !== undefined) return {};
  const base = join(options.config.cacheDir, 'go');
  return {
    GOPATH: variable(options.environment, 'GOPATH') ?? join(base, 'path'),
    GOCACHE: variable(options.environment, 'GOCACHE') ?? join(base, 'build'),
  };
}

async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Environment },
): Promise<void> {
  await new Promise<void>((done, reject) => {
    const child = spawn(command, [...args], {
      ...options,
      env: { ...options.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return done();
      const last = said.trim().split('\n').slice(-3).join(' / ');
      reject(new Error(`${command} ended with ${signal ?? `status ${code}`}: ${last}`));
    });
  });
}

/** What a killed predecessor left; the caller holds the lock. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^(?:download|build)-/.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function waitForLock(path: string, onProgress: OnProgress): Promise<Lock> {
  const from = Date.now();
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    onProgress({ kind: 'step', text: `another codetether gets the Temporal CLI, ${elapsed(Date.now() - from)}` });
    await delay(500);
  }
}

function cachedPath(cacheDir: string): string {
  return join(cacheDir, 'temporal-cli', temporalCliVersion, 'temporal');
}

async function findOnPath(name: string, environment: Environment): Promise<string | undefined> {
  for (const folder of (variable(environment, 'PATH') ?? '').split(delimiter)) {
    if (folder !== '' && (await canRun(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

async function canRun(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function isAtLeast(version: string, least: string): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, wanted] of least.split('.').map(Number).entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

function elapsed(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}
