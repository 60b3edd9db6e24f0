/** Keeps one process of the stack running. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { toProblem } from '../../domain/errors.ts';
import type { Ending } from './endings.ts';
import { identify, isAlive, signalProcess, untilGone } from './processes.ts';
import type { ProcessIdentity } from './processes.ts';
import type { ChildState, ChildStatus } from './state.ts';

/** All that is needed to start the process once. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly port: number | null;
}

export interface ChildDefinition extends Ending {
  /** Called before each start; what it throws is shown as the child's problem, and tried again. */
  prepare(): Promise<Launch>;
}

export interface Child {
  readonly definition: ChildDefinition;
  state(): ChildState;
  /** Ends the process, in order where it can, and starts none again. */
  stop(): Promise<void>;
  /** Ends the process and starts it again at once; returns when the new one runs or cannot. */
  restart(): Promise<void>;
}

export interface SuperviseOptions {
  readonly definition: ChildDefinition;
  /** A process that a supervisor before this one left behind, to be taken over instead of started. */
  readonly adopted: ChildState | undefined;
  /** The file descriptor that the process writes to; closed after it was given. */
  openLog(): number;
  /** Called after each change of the state. */
  onChange(): void;
  log(line: string): void;
}

const settledAfterMs = 5_000;
const firstPauseMs = 100;
const longestPauseMs = 10_000;
const pollAdoptedMs = 200;

/**
 * The pause before a process is started again, by how many of its lives in a row were short: none after
 * the first, then growing.
 */
export function restartPauseMs(shortLives: number): number {
  return shortLives <= 1 ? 0 : Math.min(firstPauseMs * 2 ** (shortLives - 2), longestPauseMs);
}

interface Life {
  readonly identity: ProcessIdentity;
  /** Resolves with how it ended, for people. */
  readonly ended: Promise<string>;
}

/**
 * Starts the process (or takes it over) and starts it again whenever it ends. See {@link ChildStatus} for the states:
 * starting → running → waiting → starting …, and `stopped` from each of them.
 */
export function superviseChild(options: SuperviseOptions): Child {
  const { definition, log } = options;
  let state: ChildState = options.adopted ?? {
    status: 'starting',
    process: null,
    port: null,
    restarts: 0,
    since: new Date().toISOString(),
    lastEnd: null,
    problem: null,
  };
  const stopping = new AbortController();
  let isRestarting = false;
  let pause = new AbortController();
  let onStarted: (() => void)[] = [];

  const set = (change: Partial<ChildState> & { readonly status: ChildStatus }): void => {
    state = { ...state, since: new Date().toISOString(), ...change };
    options.onChange();
  };
  const started = (): void => {
    const waiting = onStarted;
    onStarted = [];
    for (const resolve of waiting) resolve();
  };

  const nextLife = async (adopted: ProcessIdentity | undefined): Promise<Life> => {
    if (adopted !== undefined) {
      log(`${definition.name}: taken over, process ${adopted.pid}`);
      return { identity: adopted, ended: endOfAdopted(adopted) };
    }
    const launch = await definition.prepare();
    const life = await startProcess(launch, options.openLog());
    set({ status: 'running', process: life.identity, port: launch.port, problem: null });
    log(`${definition.name}: started, process ${life.identity.pid}`);
    return life;
  };

  const keepRunning = async (): Promise<void> => {
    let shortLives = 0;
    let adopted = options.adopted?.process ?? undefined;
    while (!stopping.signal.aborted) {
      const from = Date.now();
      let lastEnd: string;
      try {
        const life = await nextLife(adopted);
        started();
        lastEnd = await life.ended;
      } catch (error) {
        const problem = toProblem(error);
        lastEnd = `could not be started: ${problem.title}`;
        state = { ...state, problem };
      }
      adopted = undefined;
      started();
      if (stopping.signal.aborted) break;
      shortLives = Date.now() - from >= settledAfterMs ? 1 : shortLives + 1;
      const pauseMs = isRestarting ? 0 : restartPauseMs(shortLives);
      const restarts = isRestarting ? state.restarts : state.restarts + 1;
      isRestarting = false;
      log(`${definition.name}: ${lastEnd}; starting again in ${pauseMs} ms`);
      set({ status: 'waiting', process: null, lastEnd, restarts });
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal: pause.signal }).catch(() => undefined);
      pause = new AbortController();
    }
    set({ status: 'stopped', process: null });
  };
  const finished = keepRunning();

  const end = async (): Promise<void> => {
    pause.abort();
    const { process } = state;
    if (process !== null) await endProcess(process, definition);
  };

  return {
    definition,
    state: () => state,
    stop: async () => {
      stopping.abort();
      await end();
      // A process that was being prepared meanwhile has come to life after the first look.
      while (!(await Promise.race([finished.then(() => true), delay(100, false)]))) await end();
    },
    restart: async () => {
      if (stopping.signal.aborted) return;
      isRestarting = true;
      const running = new Promise<void>((resolve) => {
        onStarted.push(resolve);
      });
      await end();
      await running;
    },
  };
}

/** Ends one process: in order, and by force when that takes too long. Returns when it is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  how: Pick<Ending, 'stopSignal' | 'graceMs'>,
): Promise<void> {
  if (!(await isAlive(identity))) return;
  signalProcess(identity.pid, how.stopSignal);
  const left = await untilGone([identity], how.graceMs);
  if (left.length === 0) return;
  signalProcess(identity.pid, 'SIGKILL');
  await untilGone([identity], 10_000);
}

async function startProcess(launch: Launch, logDescriptor: number): Promise<Life> {
  let child: ChildProcess;
  try {
    const user = launch.uid === undefined || launch.gid === undefined ? {} : { uid: launch.uid, gid: launch.gid };
    child = spawn(launch.command, [...launch.args], {
      ...user,
      cwd: launch.cwd,
      env: { ...launch.env },
      // A session of its own: neither Ctrl-C in a terminal nor the terminal's end reaches it.
      detached: true,
      stdio: ['ignore', logDescriptor, logDescriptor],
    });
  } finally {
    closeSync(logDescriptor);
  }
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `ended with status ${code}` : `ended by ${signal}`));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid ?? 0;
  const identity = await identify(pid);
  // Gone already: `ended` is about to say so.
  return { identity: identity ?? { pid, startTime: 'unknown' }, ended };
}

async function endOfAdopted(identity: ProcessIdentity): Promise<string> {
  while (await isAlive(identity)) await delay(pollAdoptedMs);
  return 'ended';
}
