import { closeSync, existsSync } from 'node:fs';

import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError, fromProblem } from '../../domain/errors.ts';
import { processEnvironment, stackVariables, variable, workSettings } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { locate } from '../config/paths.ts';
import { askSupervisor, otherSupervisorStatus } from './control.ts';
import type { ControlReply, ControlRequest } from './control.ts';
import { clusterPath, makeStackFolders, openLog, ownBuild, ownProgram, stackPaths } from './paths.ts';
import type { StackProgram } from './paths.ts';
import { getFromSocket } from './probe.ts';
import type { OnProgress } from './progress.ts';
import type { StackState } from './state.ts';

const supervisorTimeoutMs = 15_000;
const askTimeoutMs = 30_000;
const pollMs = 25;

export interface EnsureStackOptions {
  /** The command line's data dir, when it has one. */
  readonly dataDir?: string;
  /**
   * `apply` (default): settings of this environment that the running stack does not have are given to it. For commands
   * that start work. `keep`: the stack is used as it runs. For commands that only look.
   */
  readonly settings?: 'apply' | 'keep';
  readonly onProgress?: OnProgress;
  readonly environment?: Environment;
  readonly program?: StackProgram;
}

export interface StackAccess {
  readonly dataDir: string;
  /** The API's Unix socket. */
  readonly apiSocket: string;
  readonly temporalAddress: string;
  /** `null` when the engine is not ours. */
  readonly temporalUiUrl: string | null;
  /** This call started it. */
  readonly started: boolean;
}

/**
 * Makes sure that the data dir's stack runs and its API answers. A few milliseconds when it does; several callers at once end
 * with one stack. A stack that this call started and that does not come up is ended again.
 * @throws `stack-failed`, `port-taken`, `disk-full` with the last lines of what failed; `engine-missing`; `config-invalid`;
 *   `database-unreachable`, `engine-unreachable` for servers of the user's own
 */
export async function ensureStack(options: EnsureStackOptions = {}): Promise<StackAccess> {
  const environment = options.environment ?? processEnvironment();
  const { dataDir } = locate({ environment, ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }) });
  const context: Context = {
    dataDir,
    environment,
    settings: options.settings ?? 'apply',
    program: options.program ?? ownProgram(),
    onProgress: options.onProgress ?? (() => undefined),
  };
  const { state, started } = await reachSupervisor(context);
  const health = await getFromSocket(state.apiSocket, '/health', { timeoutMs: 1000 });
  if (health?.status !== 200 || started) {
    const { untilReady } = await import('./until-ready.ts');
    await untilReady({ ...context, state }).catch(async (error: unknown) => {
      if (started) await stop(dataDir).catch(() => undefined);
      throw error;
    });
  }
  const { apiSocket, temporalAddress, temporalUiUrl } = state;
  return { dataDir, apiSocket, temporalAddress, temporalUiUrl, started };
}

interface Context {
  readonly dataDir: string;
  readonly environment: Environment;
  readonly settings: 'apply' | 'keep';
  readonly program: StackProgram;
  readonly onProgress: OnProgress;
}

async function reachSupervisor(context: Context): Promise<{ readonly state: StackState; readonly started: boolean }> {
  const { dataDir, environment, onProgress } = context;
  const request: ControlRequest =
    context.settings === 'keep'
      ? { op: 'state' }
      : { op: 'attach', settings: workSettings(environment), servers: setVariables(environment) };
  let start: (() => Promise<void>) | undefined;
  const deadline = Date.now() + supervisorTimeoutMs;
  for (;;) {
    const reply = await askSupervisor(dataDir, request, { timeoutMs: askTimeoutMs });
    const state = reply === undefined ? undefined : usableState(reply, context);
    if (state !== undefined) {
      if (context.settings === 'keep' || state.build === ownBuild()) return { state, started: start !== undefined };
      onProgress({ kind: 'note', text: 'the local stack runs another build of codetether: starting it again' });
      await stop(dataDir);
    }
    if (start !== undefined && Date.now() > deadline) throw await failedSupervisor(dataDir);
    if (reply?.kind === 'stopping') await delay(100);
    else {
      start ??= await prepareStart(context);
      await start();
    }
  }
}

/** `undefined`: there is none to use, start one. */
function usableState(reply: ControlReply, context: Context): StackState | undefined {
  switch (reply.kind) {
    case 'state':
      return reply.state;
    case 'restarted': {
      const names = reply.changed.join(', ');
      context.onProgress({ kind: 'note', text: `worker and API were started again with this shell's ${names}` });
      return reply.state;
    }
    case 'other-servers':
      throw new CodetetherError('config-invalid', 'the local stack runs on other servers than this shell asks for', {
        problems: reply.variables.map((name) => `${name} (environment): differs from what the stack was started with`),
        next: 'End the stack with codetether down (runs go on when it is back), then try again; or unset the variable.',
      });
    case 'failed':
      throw fromProblem(reply.problem);
    case 'stopping':
    case 'stopped':
      return undefined;
  }
}

/** All that has to be known before a supervisor is started; slow only when the engine has to be built first. */
async function prepareStart(context: Context): Promise<() => Promise<void>> {
  const { dataDir, environment, onProgress, program } = context;
  // Only a start needs these: zod alone costs more than a whole command on a warm stack.
  const { loadConfig } = await import('../config/config.ts');
  const config = loadConfig({ environment, flags: { dataDir } });
  await makeStackFolders(dataDir);
  if (!existsSync(clusterPath(stackPaths(dataDir).postgresDir))) {
    onProgress({ kind: 'note', text: `first start: setting up the local stack in ${dataDir}` });
    onProgress({ kind: 'note', text: '  database, engine, worker and API, a few seconds; codetether down ends them' });
  }
  let temporalCli: string | undefined;
  if (config.temporalAddress === undefined) {
    const { findTemporalCli } = await import('./temporal-cli.ts');
    temporalCli = (await findTemporalCli({ config, environment, onProgress })).path;
  }
  const settled: Record<string, string | undefined> = {
    DATABASE_URL: config.databaseUrl?.reveal(),
    DATABASE_OWNER_URL: config.databaseOwnerUrl?.reveal(),
    TEMPORAL_ADDRESS: config.temporalAddress,
    TEMPORAL_NAMESPACE: config.temporalNamespace,
    CODETETHER_TEMPORAL_UI_URL: config.temporalUiUrl,
    CODETETHER_TEMPORAL_CLI: temporalCli,
    CODETETHER_POSTGRES_PORT: config.postgresPort?.toString(),
    CODETETHER_TEMPORAL_PORT: config.temporalPort?.toString(),
    CODETETHER_TEMPORAL_UI_PORT: config.temporalUiPort?.toString(),
  };
  const given = Object.fromEntries(Object.entries(settled).filter(([, value]) => value !== undefined));
  return async () => {
    onProgress({ kind: 'step', text: 'starting the local stack' });
    await startSupervisor({ dataDir, program, environment: { ...environment, ...given } });
  };
}

/** Returns when a supervisor is to be expected to answer: this one, or another that was faster. */
async function startSupervisor(options: {
  readonly dataDir: string;
  readonly program: StackProgram;
  readonly environment: Environment;
}): Promise<void> {
  const { dataDir, program } = options;
  const { spawn } = await import('node:child_process');
  const logDescriptor = openLog(dataDir, 'supervisor');
  const memory = ['--max-old-space-size=64', '--max-semi-space-size=1'];
  const args = [program.supervisor, '--data-dir', dataDir, '--worker', program.worker, '--api', program.api];
  const child = spawn(process.execPath, [...memory, ...args], {
    cwd: dataDir,
    env: { ...options.environment },
    detached: true,
    stdio: ['ignore', logDescriptor, logDescriptor],
  });
  closeSync(logDescriptor);
  child.unref();
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => resolve(1));
  });
  const deadline = Date.now() + supervisorTimeoutMs;
  while (Date.now() < deadline) {
    const status = await Promise.race([ended, delay(pollMs, undefined)]);
    if (status === otherSupervisorStatus) {
      // Another supervisor has the data dir: it is about to answer, or about to be gone.
      await delay(100);
      return;
    }
    if (status !== undefined) throw await failedSupervisor(dataDir);
    const reply = await askSupervisor(dataDir, { op: 'state' }, { timeoutMs: 1000 });
    if (reply !== undefined) return;
  }
}

// Loaded only when needed: on a warm stack, what a command loads is most of what it takes.
async function failedSupervisor(dataDir: string): Promise<CodetetherError> {
  const { supervisorFailed } = await import('./until-ready.ts');
  return await supervisorFailed(dataDir);
}

async function stop(dataDir: string): Promise<void> {
  const { stopStack } = await import('./stop-stack.ts');
  await stopStack(dataDir);
}

function setVariables(environment: Environment): { readonly [name: string]: string } {
  return Object.fromEntries(
    stackVariables.flatMap((name) => {
      const value = variable(environment, name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
