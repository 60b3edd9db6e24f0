/**
 * The process that keeps the local stack running. It imports nothing but Node and what is light here: it lives as long
 * as the stack and should cost little.
 *
 * Started by `ensureStack`, detached. It holds the data dir's lock for its life. Killed with -9, it leaves its children
 * running; the next one takes them over.
 *
 * Exit status: 0 ended in order, 3 another supervisor has the data dir.
 */
import { existsSync, statSync } from 'node:fs';
import { copyFile, rm, stat, truncate } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { toProblem } from '../../domain/errors.ts';
import { processEnvironment, variable, workSettings } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { apiSocketPath, controlSocketPath } from '../config/paths.ts';
import { processError } from '../process-error.ts';
import { superviseChild } from './child.ts';
import type { Child } from './child.ts';
import { otherSupervisorStatus, serveControl } from './control.ts';
import type { ControlReply, ControlRequest } from './control.ts';
import { endingOrder } from './endings.ts';
import { endLeftovers, livingChild } from './leftovers.ts';
import { tryLock } from './lock.ts';
import { makeSocketFolder } from './own-socket.ts';
import { logFile, logNames, makeStackFolders, openLog, ownBuild, ownProgram, stackPaths } from './paths.ts';
import type { ChildName, StackProgram } from './paths.ts';
import { identify, startEnvironment } from './processes.ts';
import { describeServers, otherServers } from './servers.ts';
import { readState, removeState, writeState } from './state.ts';
import type { ChildState, StackState } from './state.ts';

const lookAfterFilesMs = 5_000;
const largestLogBytes = 10 * 1024 * 1024;

export interface SuperviseStackOptions {
  readonly dataDir: string;
  readonly environment: Environment;
  readonly program: Pick<StackProgram, 'worker' | 'api'>;
  readonly build: string;
}

/**
 * Runs the stack until it is told to stop by a control request or by SIGTERM or SIGINT.
 * @returns the exit status
 */
export async function superviseStack(options: SuperviseStackOptions): Promise<number> {
  const { dataDir, environment, build } = options;
  const paths = stackPaths(dataDir);
  await makeStackFolders(dataDir);
  await makeSocketFolder(apiSocketPath(dataDir));
  const lock = tryLock(paths.lockFile);
  if (lock === undefined) return otherSupervisorStatus;
  const self = await identify(process.pid);
  if (self === undefined) throw new Error('this process does not find itself');
  const startedAt = new Date().toISOString();

  const before = await readState(dataDir);
  const left = await leftChildren(before);
  // A worker left behind goes on with what it was started with, so that a key that only it has is not lost.
  let settings = (await settingsOf(left)) ?? workSettings(environment);
  let isStopping = false;
  const children = new Map<ChildName, Child>();
  const restartWork = async (): Promise<void> => {
    await Promise.all([children.get('worker')?.restart(), children.get('api')?.restart()]);
  };

  const servers = await describeServers({
    dataDir,
    environment,
    build,
    program: options.program,
    settings: () => settings,
    portsInUse: {
      ...portOf('postgres', left.postgres?.port),
      ...portOf('temporal', left.temporal?.port),
      ...(left.temporal === undefined ? {} : portOf('temporalUi', portOfAddress(before?.temporalUiUrl))),
    },
    onPortChange: () => void restartWork(),
  });
  const adopted = await stillUsable(left, {
    names: new Set(servers.definitions.map(({ name }) => name)),
    serverEnvironment: servers.serverEnvironment(),
  });
  await endLeftovers(
    dataDir,
    Object.values(adopted).flatMap((child) => (child.process === null ? [] : [child.process])),
  );

  const state = (): StackState => ({
    schemaVersion: 1,
    build,
    supervisor: self,
    startedAt,
    apiSocket: apiSocketPath(dataDir),
    temporalAddress: servers.temporalAddress(),
    temporalUiUrl: servers.temporalUiUrl(),
    embedded: servers.embedded,
    children: Object.fromEntries([...children].map(([name, child]) => [name, child.state()])),
  });
  let writing: Promise<void> = Promise.resolve();
  const saveState = (): void => {
    writing = writing
      .then(() => writeState(dataDir, state()))
      .catch((error: unknown) => log(`the state could not be written: ${String(error)}`));
  };

  const { promise: stopped, resolve: onStopped } = Promise.withResolvers<void>();
  const stop = async (): Promise<readonly ChildName[]> => {
    isStopping = true;
    log('stopping');
    for (const names of endingOrder) await Promise.all(names.map(async (name) => children.get(name)?.stop()));
    await writing;
    return [...children.keys()];
  };

  const handle = async (request: ControlRequest): Promise<ControlReply> => {
    if (isStopping && request.op !== 'stop') return { kind: 'stopping' };
    switch (request.op) {
      case 'state':
        return { kind: 'state', state: state() };
      case 'stop': {
        const ended = await stop();
        await removeState(dataDir);
        setImmediate(onStopped);
        return { kind: 'stopped', ended };
      }
      case 'attach': {
        const others = otherServers(request.servers, environment);
        if (others.length > 0) return { kind: 'other-servers', variables: others, state: state() };
        const wanted = { ...settings, ...request.settings };
        const changed = Object.keys(wanted).filter((name) => wanted[name] !== settings[name]);
        if (changed.length === 0) return { kind: 'state', state: state() };
        settings = wanted;
        log(`new settings: ${changed.join(', ')}`);
        await restartWork();
        return { kind: 'restarted', changed, state: state() };
      }
    }
  };

  // The first words on the socket are an answer, so the children are there before it is.
  for (const definition of servers.definitions) {
    const child = superviseChild({
      definition,
      adopted: adopted[definition.name],
      openLog: () => openLog(dataDir, definition.name),
      onChange: saveState,
      log,
    });
    children.set(definition.name, child);
  }
  saveState();
  const control = await serveControl(dataDir, async (request) =>
    handle(request).catch((error: unknown): ControlReply => ({ kind: 'failed', problem: toProblem(error) })),
  );

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      void stop()
        .then(() => removeState(dataDir))
        .then(() => onStopped());
    });
  }
  process.on('SIGHUP', () => {
    // The terminal that started the stack is closed; the stack stays.
  });
  const lockInode = statSync(paths.lockFile).ino;
  const look = setInterval(() => {
    // Somebody removed the data dir: nothing is left to run on, and the name may be another stack's by now.
    if (existsSync(paths.lockFile) && statSync(paths.lockFile).ino === lockInode) void shortenLogs(dataDir);
    else if (!isStopping) void stop().then(() => onStopped());
  }, lookAfterFilesMs);

  await stopped;
  clearInterval(look);
  control.close();
  if (existsSync(paths.lockFile) && statSync(paths.lockFile).ino === lockInode) {
    for (const socket of [controlSocketPath(dataDir), apiSocketPath(dataDir)]) await rm(socket, { force: true });
  }
  lock.release();
  log('stopped');
  // A command that hangs on to its connection does not keep this process alive.
  setTimeout(() => process.exit(0), 1000).unref();
  return 0;
}

type LeftChildren = { readonly [name in ChildName]?: ChildState };

async function leftChildren(before: StackState | undefined): Promise<LeftChildren> {
  const found: Partial<Record<ChildName, ChildState>> = {};
  for (const name of ['postgres', 'temporal', 'worker', 'api'] as const) {
    const child = await livingChild(before, name);
    if (child !== undefined) found[name] = child;
  }
  return found;
}

async function settingsOf(left: LeftChildren): Promise<{ readonly [name: string]: string } | undefined> {
  const pid = left.worker?.process?.pid ?? left.api?.process?.pid;
  const environment = pid === undefined ? undefined : await startEnvironment(pid);
  return environment === undefined ? undefined : workSettings(environment);
}

/**
 * Which of the processes left behind can go on as they are: servers that this stack has too; worker and API only where it can
 * be seen that they use these servers and this build.
 */
async function stillUsable(
  left: LeftChildren,
  wanted: { readonly names: ReadonlySet<ChildName>; readonly serverEnvironment: { readonly [name: string]: string } },
): Promise<{ readonly [name in ChildName]?: ChildState }> {
  const usable: Partial<Record<ChildName, ChildState>> = {};
  for (const name of ['postgres', 'temporal', 'worker', 'api'] as const) {
    const child = left[name];
    if (child?.process === undefined || child.process === null || !wanted.names.has(name)) continue;
    if (name === 'worker' || name === 'api') {
      const environment = await startEnvironment(child.process.pid);
      if (environment === undefined) continue;
      if (Object.entries(wanted.serverEnvironment).some(([key, value]) => environment[key] !== value)) continue;
    }
    usable[name] = child;
  }
  return usable;
}

function portOf<Name extends string>(name: Name, port: number | null | undefined): { readonly [key in Name]?: number } {
  return (port === null || port === undefined ? {} : { [name]: port }) as { readonly [key in Name]?: number };
}

function portOfAddress(address: string | null | undefined): number | null {
  return address === null || address === undefined ? null : Number(new URL(address).port);
}

/** Keeps the newest part's predecessor once: `worker.log` and `worker.log.1`. Writers append, so they need not know. */
async function shortenLogs(dataDir: string): Promise<void> {
  for (const name of logNames) {
    const file = logFile(dataDir, name);
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    if (size <= largestLogBytes) continue;
    await copyFile(file, `${file}.1`);
    await truncate(file);
  }
}

function log(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { 'data-dir': { type: 'string' }, worker: { type: 'string' }, api: { type: 'string' } },
  });
  const environment = processEnvironment();
  const dataDir = values['data-dir'] ?? variable(environment, 'CODETETHER_DATA_DIR');
  if (dataDir === undefined) throw new Error('usage: supervisor --data-dir FOLDER [--worker FILE] [--api FILE]');
  const own = ownProgram();
  const program = { worker: values.worker ?? own.worker, api: values.api ?? own.api };
  process.exitCode = await superviseStack({ dataDir, environment, program, build: ownBuild() });
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    for (const line of processError(error)) log(line);
    process.exit(1);
  });
}
