import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openInputPipe, type InputPipe } from './input-pipe.ts';
import { createOutputBuffer, type OutputBuffer } from './output-buffer.ts';
import { shell, type CommandResult, type RunCommand } from './run-command.ts';

export interface LongLivedState {
  /** Since it was last looked at; the first third and the last two thirds of at most 128 KiB. */
  readonly output: string;
  readonly omittedBytes: number;
  /** Undefined while it runs. */
  readonly end: Pick<CommandResult, 'exitCode' | 'signal'> | undefined;
}

/**
 * Processes that live on between tool calls, each in a group of its own; of one workspace, under one id that is not used
 * again. They end when they are told to, when nobody has looked for {@link LongLivedOptions.idleMs}, and with this process:
 * nothing of them is durable.
 */
export interface LongLivedProcesses {
  /** @returns its id; undefined when there are too many. `cwd` must be a folder. */
  readonly start: (
    workspaceId: string,
    command: { readonly command: string; readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ) => Promise<number | undefined>;
  /**
   * Writes to its stdin (and closes it), waits until it ends or the time is up, and says what came out meanwhile. Undefined when there is
   * no such process. When the signal aborts, the process is ended and the reason thrown.
   */
  readonly look: (
    workspaceId: string,
    id: number,
    how: {
      readonly input?: string;
      readonly closeInput?: boolean;
      readonly waitMs: number;
      readonly signal: AbortSignal;
      /** Each piece of output while this waits. */
      readonly onOutput?: (text: string) => void;
    },
  ) => Promise<LongLivedState | undefined>;
  /** Ends it, all it has started too. False when there is no such process. */
  readonly end: (workspaceId: string, id: number) => Promise<boolean>;
  /** Ends all of a workspace. Resolves when they are over. */
  readonly endAll: (workspaceId: string) => Promise<void>;
  /** Ids of those that run or have not been looked at since they ended. */
  readonly list: (workspaceId: string) => readonly number[];
}

export interface LongLivedOptions {
  readonly runCommand: RunCommand;
  readonly processDir: string;
  /** Over all workspaces. */
  readonly maxProcesses?: number;
  readonly idleMs?: number;
}

const defaultMaxProcesses = 64;
const defaultIdleMs = 15 * 60_000;
const keptBytes = 128 * 1024;

interface LongLived {
  readonly workspaceId: string;
  readonly stop: AbortController;
  readonly input: InputPipe;
  readonly over: Promise<unknown>;
  buffer: OutputBuffer;
  end: LongLivedState['end'];
  lastUsedMs: number;
  isWatched: boolean;
  onOutput: ((text: string) => void) | undefined;
}

export function createLongLivedProcesses(options: LongLivedOptions): LongLivedProcesses {
  const { runCommand, processDir, maxProcesses = defaultMaxProcesses, idleMs = defaultIdleMs } = options;
  const processes = new Map<number, LongLived>();
  const find = (workspaceId: string, id: number): LongLived | undefined => {
    const found = processes.get(id);
    return found?.workspaceId === workspaceId ? found : undefined;
  };
  const endOf = async (id: number, process: LongLived): Promise<void> => {
    process.stop.abort();
    await process.over;
    processes.delete(id);
  };

  // Whoever forgot about a process does not pay for it for ever.
  const reap = (): void => {
    for (const [id, process] of processes)
      if (!process.isWatched && performance.now() - process.lastUsedMs > idleMs) void endOf(id, process);
  };
  setInterval(reap, Math.min(idleMs, 30_000)).unref();

  return {
    async start(workspaceId, { command, cwd, env }) {
      const living = [...processes.values()].filter(({ end }) => end === undefined);
      if (living.length >= maxProcesses) return undefined;
      const input = await openInputPipe(processDir, runCommand);
      const id = freeId(processes);
      const stop = new AbortController();
      const running = runCommand({
        // The pipe is opened by name: it is handed over to a launcher's process.
        command: ['/bin/sh', '-c', 'exec <"$0"; exec "$1" -c "$2"', input.path, shell, command],
        cwd,
        env,
        signal: stop.signal,
        maxOutputBytes: 0,
        onOutput: (chunk) => {
          process.buffer.write(chunk);
          process.onOutput?.(chunk.toString('utf8'));
        },
      });
      const process: LongLived = {
        workspaceId,
        stop,
        input,
        buffer: createOutputBuffer(keptBytes),
        end: undefined,
        lastUsedMs: performance.now(),
        isWatched: false,
        onOutput: undefined,
        over: running
          .then(
            ({ exitCode, signal }) => (process.end = { exitCode, signal }),
            // The process that starts programs was lost, and this one with it.
            () => (process.end = { exitCode: null, signal: 'SIGKILL' }),
          )
          .finally(() => input.release()),
      };
      processes.set(id, process);
      return id;
    },

    async look(workspaceId, id, { input = '', closeInput = false, waitMs, signal, onOutput }) {
      const process = find(workspaceId, id);
      if (process === undefined) return undefined;
      process.isWatched = true;
      process.onOutput = onOutput;
      try {
        if (process.end === undefined && input !== '') process.input.stream.write(input);
        if (closeInput) process.input.stream.end();
        const pause = new AbortController();
        await Promise.race([
          process.over,
          delay(waitMs, undefined, { signal: AbortSignal.any([signal, pause.signal]) }).catch(() => undefined),
        ]);
        pause.abort();
        if (signal.aborted) {
          await endOf(id, process);
          throw signal.reason;
        }
        const state = { output: process.buffer.text(), omittedBytes: process.buffer.omittedBytes(), end: process.end };
        process.buffer = createOutputBuffer(keptBytes);
        if (state.end !== undefined) processes.delete(id);
        return state;
      } finally {
        process.isWatched = false;
        process.onOutput = undefined;
        process.lastUsedMs = performance.now();
      }
    },

    async end(workspaceId, id) {
      const process = find(workspaceId, id);
      if (process !== undefined) await endOf(id, process);
      return process !== undefined;
    },

    async endAll(workspaceId) {
      const own = [...processes].filter(([, process]) => process.workspaceId === workspaceId);
      await Promise.all(own.map(([id, process]) => endOf(id, process)));
    },

    list: (workspaceId) =>
      [...processes].filter(([, process]) => process.workspaceId === workspaceId).map(([id]) => id),
  };
}

/** At random: an id that a model remembers of a worker that was lost names none of this one's. */
function freeId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(10_000, 100_000);
    if (!taken.has(id)) return id;
  }
}
