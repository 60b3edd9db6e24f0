import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { scrubEnvironment, type Environment } from './environment.ts';
import { createLineSplitter, createOutputBuffer } from './output-buffer.ts';
import { closeWriteEnd, createOutputPipes } from './output-pipe.ts';
import { startProcessGroup, type GroupExit, type ProcessGroup, type ProcessGroupOptions } from './process-group.ts';

export interface ProcessDeps {
  /** The worker's own environment; commands get it scrubbed, see {@link scrubEnvironment}. */
  readonly env: Environment;
  /** Folder for what {@link killLeftovers} needs to know; one per worker process. */
  readonly processDir: string;
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

export function createRunCommand(deps: ProcessDeps): RunCommand {
  const openPipe = createOutputPipes(deps.processDir);
  const env = scrubEnvironment(deps.env);
  const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';

  return async (command) => {
    await requireFolder(command.cwd);
    const [file, ...args] = typeof command.command === 'string' ? [shell, '-c', command.command] : command.command;
    const buffer = createOutputBuffer(command.maxOutputBytes ?? defaultMaxOutputBytes);
    const lines = command.onLine === undefined ? undefined : createLineSplitter(command.onLine);
    const startedAt = performance.now();
    const result = (
      exit: GroupExit,
      how: { readonly timedOut: boolean; readonly aborted: boolean },
    ): CommandResult => ({
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
    let drained = false;
    const ended = new Promise<void>((resolve) => {
      pipe.stream.on('data', (chunk: Buffer) => {
        buffer.write(chunk);
        lines?.write(chunk);
      });
      pipe.stream.once('end', () => {
        drained = true;
        resolve();
      });
      pipe.stream.once('error', () => {
        resolve();
      });
    });
    try {
      const stdio = ['ignore' as const, pipe.writeFd, pipe.writeFd];
      const started = start({
        processDir: deps.processDir,
        file,
        args,
        cwd: command.cwd,
        env: { ...env, ...command.env },
        stdio,
      });
      closeWriteEnd(pipe);
      if (started instanceof Error) {
        return result(notStarted(started, file, buffer), { timedOut: false, aborted: false });
      }
      const limit = limitTime(started, command);
      try {
        const exit = await Promise.race([started.exited, limit.givenUp]).catch((error: unknown) =>
          notStarted(error, file, buffer),
        );
        await finishGroup(started, ended, () => drained);
        lines?.end();
        return result(exit, limit.reached());
      } finally {
        limit.stop();
        started.release();
      }
    } finally {
      pipe.release(drained);
    }
  };
}

/** A command that the system refuses at once (too long, a NUL in it) is an error value here. */
function start(options: ProcessGroupOptions): ProcessGroup | Error {
  try {
    return startProcessGroup(options);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

interface TimeLimit {
  reached(): { readonly timedOut: boolean; readonly aborted: boolean };
  /** Resolves when not even SIGKILL ended the main process (it hangs in the kernel). */
  readonly givenUp: Promise<GroupExit>;
  stop(): void;
}

/** Ends the group at the command's time limit or abort. */
function limitTime(group: ProcessGroup, command: Command): TimeLimit {
  let reached = { timedOut: false, aborted: false };
  const givenUp = Promise.withResolvers<GroupExit>();
  const endAs = async (how: typeof reached): Promise<void> => {
    if (!reached.timedOut && !reached.aborted) reached = how;
    await group.end();
    await delay(graceMs);
    givenUp.resolve({ exitCode: null, signal: 'SIGKILL' });
  };
  const onAbort = (): void => {
    void endAs({ timedOut: false, aborted: true });
  };
  command.signal?.addEventListener('abort', onAbort, { once: true });
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
      command.signal?.removeEventListener('abort', onAbort);
    },
  };
}

/** The main process is over: gives the others a moment, then ends them and whoever else holds the output. */
async function finishGroup(group: ProcessGroup, ended: Promise<void>, drained: () => boolean): Promise<void> {
  const abandon = new AbortController();
  const pause = (ms: number): Promise<unknown> => delay(ms, undefined, { signal: abandon.signal }).catch(() => {});
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

function notStarted(error: unknown, file: string, buffer: ReturnType<typeof createOutputBuffer>): GroupExit {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const exitCode = code === 'ENOENT' ? 127 : 126;
  const reason = code === 'ENOENT' ? 'command not found' : error instanceof Error ? error.message : String(error);
  buffer.write(Buffer.from(`${file}: ${reason}\n`));
  return { exitCode, signal: null };
}

async function requireFolder(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new CodetetherError('workspace-failed', `There is no folder ${cwd} to run a command in.`, {
    next: 'Start the run again; the workspace is made anew.',
  });
}
