import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

/** A pipe for one command's output: give `writeFd` to the command as stdout and stderr, close it here, read `stream`. */
export interface OutputPipe {
  readonly writeFd: number;
  readonly stream: Socket;
  /** Call once the command is over; `drained` = the end of the stream was seen, so that nobody can write any more. */
  release(drained: boolean): void;
}

export const pipePrefix = 'pipe-';

/**
 * Opens pipes in `folder`. Node connects a child's stdout and stderr by two sockets; named pipes are used instead,
 * since they keep the order of what is written to the two and let commands open `/dev/stderr`.
 */
export function createOutputPipes(folder: string): () => Promise<OutputPipe> {
  const free: string[] = [];
  const batchSize = 4;

  const makeBatch = async (): Promise<string> => {
    mkdirSync(folder, { recursive: true });
    const paths = Array.from({ length: batchSize }, () => path.join(folder, `${pipePrefix}${randomUUID()}`));
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
    const [first, ...others] = paths;
    free.push(...others);
    return first ?? '';
  };

  return async () => {
    const fifo = free.pop() ?? (await makeBatch());
    const readFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeFd = openSync(fifo, constants.O_WRONLY);
    const stream = new Socket({ fd: readFd, readable: true, writable: false });
    return {
      writeFd,
      stream,
      release(drained) {
        stream.destroy();
        if (drained) free.push(fifo);
        else rmSync(fifo, { force: true });
      },
    };
  };
}

export function closeWriteEnd(pipe: OutputPipe): void {
  closeSync(pipe.writeFd);
}
