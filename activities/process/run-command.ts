import { addAbortListener } from 'node:events';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { scrubEnvironment, type Environment } from './environment.ts';
import { createLineSplitter, createOutputBuffer } from './output-buffer.ts';
import type { Launch } from './launch.ts';
import { createOutputPipes, type OutputPipe } from './output-pipe.ts';
import { startProcessGroup, type ProcessGroup } from './process-group.ts';

export interface ProcessDeps {
  /** The worker's own environment; commands get it scrubbed, see {@link scrubEnvironment}. */
  readonly env: Environment;
  /** Folder for what `killLeftovers` needs to know; one per worker process. */
  readonly processDir: string;
  /** Default: from this process; one with much memory passes a launcher's. */
  readonly launch?: Launch;
}

export interface Command {
  /** A text goes through `/bin/bash -c` (`/bin/sh -c` where there is no bash); a list is a program and its arguments. */
  readonly command: string | readonly [string, ...string[]];
  readonly cwd: string;
  /** On top of the scrubbed environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** 0 or absent: no limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Bytes of output that are kept, the first third and the last two thirds; default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Every line of output as it comes, undecorated; the caller throttles. */
  readonly onLine?: (line: string) => void;
  /** The output as it comes. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface CommandResult {
  /** Null when a signal ended it. 127 when the program does not exist, 126 when it cannot be run. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  /** stdout and stderr in the order they were written; where bytes were left out a line says so. */
  readonly output: string;
  readonly omittedBytes: number;
  readonly durationMs: number;
}

/**
 * Runs one command without stdin, in a process group of its own. However the command ends (by itself, by time-out, by
 * abort), the whole group is over when this resolves, and what left the group but still holds the output too (Linux).
 * A failing command is a result; throws `workspace-failed` when `cwd` is no folder.
 */
export type RunCommand = (command: Command) => Promise<CommandResult>;

/** After the main process, for the rest of its group to finish by itself. */
const graceMs = 300;
const defaultMaxOutputBytes = 1024 * 1024;

/** What command lines go through. */
export const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';

export function createRunCommand(deps: ProcessDeps): RunCommand {
  const env = scrubEnvironment(deps.env);
  const openPipe = createOutputPipes({ ...deps, env });

  return async (command) => {
    await requireFolder(command.cwd);
    const [file, ...args] = typeof command.command === 'string' ? [shell, '-c', command.command] : command.command;
    const buffer = createOutputBuffer(command.maxOutputBytes ?? defaultMaxOutputBytes);
    const lines = command.onLine === undefined ? undefined : createLineSplitter(command.onLine);
    const startedAt = performance.now();
    const result = (exit: GroupExit, how: LimitReached): CommandResult => ({
      ...exit,
      ...how,
      output: buffer.text(),
      omittedBytes: buffer.omittedBytes(),
      durationMs: Math.round(performance.now() - startedAt),
    });
    if (command.signal?.aborted === true) {
      return result({ exitCode: null, signal: null }, { timedOut: false, aborted: true });
    }

    const pipe = await openPipe();
    const output = readOutput(pipe, (chunk) => {
      buffer.write(chunk);
      lines?.write(chunk);
      command.onOutput?.(chunk);
    });
    try {
      const request = { file, args, cwd: command.cwd, env: { ...env, ...command.env }, output: { pipe: pipe.path } };
      const group = await startProcessGroup(deps, request)
        .catch((error: unknown) => notStarted(error, file))
        .finally(() => {
          pipe.handOver();
        });
      if ('reason' in group) {
        buffer.write(Buffer.from(group.reason));
        return result({ exitCode: group.exitCode, signal: null }, { timedOut: false, aborted: false });
      }
      const limit = limitTime(group, command);
      try {
        const { exitCode, signal } = await Promise.race([group.exited, limit.givenUp]);
        await finishGroup(group, output);
        lines?.end();
        return result({ exitCode, signal }, limit.reached());
      } finally {
        limit.stop();
        group.release();
      }
    } finally {
      pipe.release(output.drained());
    }
  };
}

type GroupExit = Pick<CommandResult, 'exitCode' | 'signal'>;
type LimitReached = Pick<CommandResult, 'timedOut' | 'aborted'>;

interface Output {
  /** Resolves when nobody can write any more, or the pipe broke. */
  readonly ended: Promise<void>;
  drained(): boolean;
}

function readOutput(pipe: OutputPipe, onChunk: (chunk: Buffer) => void): Output {
  let drained = false;
  const ended = new Promise<void>((resolve) => {
    pipe.stream.on('data', onChunk);
    pipe.stream.once('end', () => {
      drained = true;
      resolve();
    });
    pipe.stream.once('error', () => {
      resolve();
    });
  });
  return { ended, drained: () => drained };
}

interface TimeLimit {
  reached(): LimitReached;
  /** Resolves when not even SIGKILL ended the main process (it hangs in the kernel). */
  readonly givenUp: Promise<GroupExit>;
  stop(): void;
}

/** Ends the group at the command's time limit or abort. */
function limitTime(group: ProcessGroup, command: Command): TimeLimit {
  let reached: LimitReached = { timedOut: false, aborted: false };
  const givenUp = Promise.withResolvers<GroupExit>();
  const endAs = async (how: LimitReached): Promise<void> => {
    if (!reached.timedOut && !reached.aborted) reached = how;
    await group.end();
    await delay(graceMs);
    givenUp.resolve({ exitCode: null, signal: 'SIGKILL' });
  };
  const onAbort = (): void => {
    void endAs({ timedOut: false, aborted: true });
  };
  // Also to one that came while it was being started.
  const listening = command.signal && addAbortListener(command.signal, onAbort);
  const timeoutMs = command.timeoutMs ?? 0;
  const onTimeout = (): void => {
    void endAs({ timedOut: true, aborted: false });
  };
  const timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined;
  return {
    reached: () => reached,
    givenUp: givenUp.promise,
    stop() {
      clearTimeout(timer);
      listening?.[Symbol.dispose]();
    },
  };
}

/** The main process is over: gives the others a moment, then ends them and whoever else holds the output. */
async function finishGroup(group: ProcessGroup, output: Output): Promise<void> {
  const abandon = new AbortController();
  const pause = (ms: number): Promise<unknown> => delay(ms, undefined, { signal: abandon.signal }).catch(() => {});
  const { ended, drained } = output;
  await Promise.race([ended, pause(graceMs)]);
  for (let waited = 0; waited < graceMs && drained() && (await group.alive()); waited += 25) await delay(25);
  if (await group.alive()) await group.end();
  if (!drained()) await Promise.race([ended, pause(50)]);
  if (!drained()) {
    await group.killEscaped();
    await Promise.race([ended, pause(graceMs)]);
  }
  abandon.abort();
}

/** What the system said about a program that does not exist (127) or cannot be run (126); other errors are thrown. */
function notStarted(error: unknown, file: string): { readonly exitCode: number; readonly reason: string } {
  if (error instanceof CodetetherError) throw error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return { exitCode: 127, reason: `${file}: command not found\n` };
  return { exitCode: 126, reason: `${file}: ${error instanceof Error ? error.message : String(error)}\n` };
}

async function requireFolder(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new CodetetherError('workspace-failed', `There is no folder ${cwd} to run a command in.`, {
    next: 'Start the run again; the workspace is made anew.',
  });
}
