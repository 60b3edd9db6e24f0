import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { pipePrefix } from './output-pipe.ts';
import type { RunCommand } from './run-command.ts';

/** A pipe for one command's input: it opens `path` for reading, `stream` is written here. */
export interface InputPipe {
  readonly path: string;
  readonly stream: Socket;
  /** Call once the command is over. */
  release(): void;
}

/** Makes a named pipe in `processDir`, so that a command can be started with it by name. */
export async function openInputPipe(processDir: string, runCommand: RunCommand): Promise<InputPipe> {
  await mkdir(processDir, { recursive: true });
  const fifo = path.join(processDir, `${pipePrefix}${randomUUID()}`);
  const made = await runCommand({ command: ['mkfifo', '-m', '600', fifo], cwd: processDir });
  if (made.exitCode !== 0)
    throw new CodetetherError('internal', `No pipe for a command's input: ${made.output.trim()}`);
  // What is written before the command has opened its end would be refused without a reader.
  const holdFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const stream = new Socket({
    fd: openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK),
    readable: false,
    writable: true,
  });
  stream.on('error', () => {
    // The command is over; its exit says so as well.
  });
  return {
    path: fifo,
    stream,
    release() {
      stream.destroy();
      closeSync(holdFd);
      rmSync(fifo, { force: true });
    },
  };
}
