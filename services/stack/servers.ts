/** What each process of the stack is started with. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { apiSocketPath } from '../config/paths.ts';
import { stackVariables, variable, workSettings } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { newSecretKey } from '../config/key-ring.ts';
import type { ChildDefinition, Launch } from './child.ts';
import { endingOf } from './endings.ts';
import { clusterPath, stackPaths } from './paths.ts';
import type { StackProgram } from './paths.ts';
import { choosePort, portNames } from './ports.ts';
import type { FixedPorts, PortName } from './ports.ts';
import {
  databaseAddresses,
  ensureCredentials,
  initializeCluster,
  postgresCommand,
  readLockFile,
  removeLockFile,
} from './postgres.ts';
import { chooseIdentity } from './postgres-identity.ts';
import { findByArgument } from './processes.ts';
import { ensureSecretFile } from './secret-file.ts';
import { temporalArguments, temporalEnvironment } from './temporal.ts';

export interface Servers {
  readonly definitions: readonly ChildDefinition[];
  readonly embedded: { readonly database: boolean; readonly engine: boolean };
  temporalAddress(): string;
  temporalUiUrl(): string | null;
  /** What worker and API are started with, besides the user's environment. */
  serverEnvironment(): { readonly [name: string]: string };
}

export interface ServersOptions {
  readonly dataDir: string;
  readonly program: Pick<StackProgram, 'worker' | 'api'>;
  readonly build: string;
  /** The environment of the command that started the stack. */
  readonly environment: Environment;
  /** The settings of worker and API as they are now. */
  settings(): { readonly [name: string]: string };
  /** Ports of servers that are running already. */
  readonly portsInUse: { readonly [name in PortName]?: number };
  /** A server came back on another port: who talks to it has to be told. */
  onPortChange(): void;
}

/** In MB. Node's own default lets a process that mostly waits grow by some 40 MB before it collects. */
const smallYoungGeneration = '--max-semi-space-size=2';

/** Settles on all ports, so that everything can be started at once. */
export async function describeServers(options: ServersOptions): Promise<Servers> {
  const { dataDir, environment, program } = options;
  const paths = stackPaths(dataDir);
  const externalDatabase = variable(environment, 'DATABASE_URL');
  const externalEngine = variable(environment, 'TEMPORAL_ADDRESS');
  const namespace = variable(environment, 'TEMPORAL_NAMESPACE') ?? 'default';
  const fixed = fixedPorts(environment);
  const credentials = await ensureCredentials(paths.postgresDir);
  const secretKey = await ensureSecretFile(paths.secretKeyFile, newSecretKey);
  const ports: Record<PortName, number> = { postgres: 0, temporal: 0, temporalUi: 0 };

  const settle = async (name: PortName): Promise<number> => {
    const before = ports[name];
    const port = await choosePort({ dataDir, name, fixed });
    ports[name] = port;
    if (before !== 0 && before !== port) options.onPortChange();
    return port;
  };
  for (const name of portNames) {
    const isNeeded = name === 'postgres' ? externalDatabase === undefined : externalEngine === undefined;
    if (!isNeeded) continue;
    // A fixed port that is taken is the server's problem to report, not a reason to start nothing.
    ports[name] =
      options.portsInUse[name] ?? (await choosePort({ dataDir, name, fixed }).catch(() => fixed[name] ?? 0));
  }

  const temporalAddress = (): string => externalEngine ?? `127.0.0.1:${ports.temporal}`;
  const temporalUiUrl = (): string | null =>
    externalEngine === undefined
      ? `http://127.0.0.1:${ports.temporalUi}`
      : (variable(environment, 'CODETETHER_TEMPORAL_UI_URL') ?? null);
  const databaseVariables = (): { readonly [name: string]: string } => {
    if (externalDatabase !== undefined) return { DATABASE_URL: externalDatabase };
    const { url, ownerUrl } = databaseAddresses(ports.postgres, credentials);
    return { DATABASE_URL: url, DATABASE_OWNER_URL: ownerUrl };
  };
  const serverEnvironment = (): { readonly [name: string]: string } => {
    const uiUrl = temporalUiUrl();
    return {
      CODETETHER_DATA_DIR: dataDir,
      CODETETHER_API_SOCKET: apiSocketPath(dataDir),
      CODETETHER_STACK_BUILD: options.build,
      ...secretKeyVariable(options.settings(), secretKey),
      ...databaseVariables(),
      TEMPORAL_ADDRESS: temporalAddress(),
      TEMPORAL_NAMESPACE: namespace,
      ...(uiUrl === null ? {} : { CODETETHER_TEMPORAL_UI_URL: uiUrl }),
    };
  };

  const postgres: ChildDefinition = {
    ...endingOf(dataDir, 'postgres'),
    prepare: async () => {
      const port = await settle('postgres');
      const identity = await chooseIdentity();
      await removeStaleLockFile(paths.postgresDir);
      await initializeCluster({ dataDir: paths.postgresDir, identity, above: [dataDir] });
      return { ...postgresCommand({ dataDir: paths.postgresDir, port, identity }), cwd: '/', port };
    },
  };

  const temporal: ChildDefinition = {
    ...endingOf(dataDir, 'temporal'),
    prepare: async () => {
      const uiPort = await settle('temporalUi');
      const port = await settle('temporal');
      const args = temporalArguments({ databaseFile: paths.temporalFile, port, uiPort, namespace });
      const command = variable(environment, 'CODETETHER_TEMPORAL_CLI') ?? 'temporal';
      if (isAbsolute(command) && !existsSync(command)) {
        throw new CodetetherError('engine-missing', `the Temporal CLI is gone: ${command}`, {
          next: 'Start again, so that it is looked for: codetether down, then codetether up.',
        });
      }
      return { command, args, env: temporalEnvironment(paths.temporalFile), cwd: dirname(paths.temporalFile), port };
    },
  };

  // Settings that the stack has taken over replace this environment's as a whole.
  const ownSettings = new Set(Object.keys(workSettings(environment)));
  const rest = Object.fromEntries(Object.entries(environment).filter(([name]) => !ownSettings.has(name)));
  const own = (name: 'worker' | 'api'): ChildDefinition => {
    const ending = endingOf(dataDir, name);
    return {
      ...ending,
      prepare: async (): Promise<Launch> => ({
        command: process.execPath,
        args: [smallYoungGeneration, program[name], ending.mark],
        env: { ...rest, ...options.settings(), ...serverEnvironment() },
        cwd: dataDir,
        port: null,
      }),
    };
  };

  return {
    definitions: [
      ...(externalDatabase === undefined ? [postgres] : []),
      ...(externalEngine === undefined ? [temporal] : []),
      own('worker'),
      own('api'),
    ],
    embedded: { database: externalDatabase === undefined, engine: externalEngine === undefined },
    temporalAddress,
    temporalUiUrl,
    serverEnvironment,
  };
}

/** The local stack's own key counts where none is set. */
function secretKeyVariable(settings: Environment, secretKey: string): { readonly [name: string]: string } {
  const name = 'CODETETHER_SECRET_KEYS';
  return variable(settings, name) === undefined ? { [name]: secretKey } : {};
}

/** The variables among {@link stackVariables} that are set to something else than the stack was started with. */
export function otherServers(wanted: { readonly [name: string]: string }, environment: Environment): readonly string[] {
  return stackVariables.filter((name) => {
    const value = wanted[name];
    return value !== undefined && value !== '' && value !== variable(environment, name);
  });
}

/**
 * The server refuses to start while the process that its lock file names is alive; after a crash of the machine or container
 * that number may belong to anybody.
 */
async function removeStaleLockFile(postgresDir: string): Promise<void> {
  const lock = await readLockFile(postgresDir);
  if (lock === undefined) return;
  const servers = await findByArgument(clusterPath(postgresDir));
  if (!servers.includes(lock.pid)) await removeLockFile(postgresDir);
}

function fixedPorts(environment: Environment): FixedPorts {
  const read = (name: string): number | undefined => {
    const value = variable(environment, name);
    return value === undefined ? undefined : Number(value);
  };
  const postgres = read('CODETETHER_POSTGRES_PORT');
  const temporal = read('CODETETHER_TEMPORAL_PORT');
  const temporalUi = read('CODETETHER_TEMPORAL_UI_PORT');
  return {
    ...(postgres === undefined ? {} : { postgres }),
    ...(temporal === undefined ? {} : { temporal }),
    ...(temporalUi === undefined ? {} : { temporalUi }),
  };
}
