import { closeSync, existsSync, fchmodSync, openSync, readFileSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodetetherError } from '../../domain/errors.ts';

/** The processes under the supervisor, in the order they are shown. */
export const childNames = ['postgres', 'temporal', 'worker', 'api'] as const;
export type ChildName = (typeof childNames)[number];

export const logNames = ['supervisor', ...childNames] as const;
export type LogName = (typeof logNames)[number];

export interface StackPaths {
  readonly stackDir: string;
  readonly stateFile: string;
  readonly lockFile: string;
  readonly portsFile: string;
  readonly logsDir: string;
  readonly postgresDir: string;
  readonly temporalFile: string;
  /** Encrypts what has to be known in clear, where no key is set. */
  readonly secretKeyFile: string;
}

export function stackPaths(dataDir: string): StackPaths {
  const stackDir = join(dataDir, 'stack');
  return {
    stackDir,
    stateFile: join(stackDir, 'state.json'),
    lockFile: join(stackDir, 'lock.db'),
    portsFile: join(stackDir, 'ports.json'),
    logsDir: join(dataDir, 'logs'),
    postgresDir: join(dataDir, 'postgres'),
    temporalFile: join(dataDir, 'temporal', 'temporal.db'),
    secretKeyFile: join(dataDir, 'secret-key'),
  };
}

/** The server's own data in the folder that holds all of one PostgreSQL server. */
export function clusterPath(postgresDir: string): string {
  return join(postgresDir, 'cluster');
}

export function logFile(dataDir: string, name: LogName): string {
  return join(stackPaths(dataDir).logsDir, `${name}.log`);
}

/** Opens the log for appending, readable by its owner only. The caller closes it. */
export function openLog(dataDir: string, name: LogName): number {
  const descriptor = openSync(logFile(dataDir, name), 'a', 0o600);
  try {
    fchmodSync(descriptor, 0o600);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}

/**
 * Makes the folders of the stack, private to their owner.
 * @throws `config-invalid` when the data dir cannot be written, `disk-full`
 */
export async function makeStackFolders(dataDir: string): Promise<void> {
  const paths = stackPaths(dataDir);
  try {
    for (const folder of [dataDir, paths.stackDir, paths.logsDir, paths.postgresDir, dirname(paths.temporalFile)]) {
      await makeFolder(folder);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const problems = [`${dataDir}: ${message}`];
    if (saysDiskFull(message)) throw new CodetetherError('disk-full', undefined, { problems, cause: error });
    throw new CodetetherError('config-invalid', 'the data dir cannot be used', {
      problems,
      next: 'Make it writable, or set CODETETHER_DATA_DIR to another folder.',
      cause: error,
    });
  }
}

/** With the folders above it. Node's own `recursive` never returns where a folder cannot be made in one that exists (/proc). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(folder))) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder, { mode: 0o700 });
  }
}

/** Whether what a program or the system said means that there is no space left. */
export function saysDiskFull(text: string): boolean {
  return text.includes('No space left on device') || text.includes('ENOSPC');
}

/** The programs that the stack starts. Tests put others in the place of worker and API. */
export interface StackProgram {
  readonly supervisor: string;
  readonly worker: string;
  readonly api: string;
}

/** This package's own programs: built, or as sources when run from sources. */
export function ownProgram(): StackProgram {
  const here = fileURLToPath(import.meta.url);
  const extension = extname(here);
  const services = resolve(dirname(here), '..');
  return {
    supervisor: join(services, 'stack', `supervisor${extension}`),
    worker: join(services, 'worker', `main${extension}`),
    api: join(services, 'api', `main${extension}`),
  };
}

/** Names this build of the program, so that a stack of another build is noticed. */
export function ownBuild(): string {
  try {
    return readFileSync(new URL('../../build-id', import.meta.url), 'utf8').trim();
  } catch {
    // Not built: run from sources.
    return 'sources';
  }
}
