import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import type { Launch } from './launch.ts';
import { startProcessGroup } from './process-group.ts';

/** A pipe for one command's output: the command opens `path` for writing, `stream` is read here. */
export interface OutputPipe {
  readonly path: string;
  readonly stream: Socket;
  /** Call once the command has the pipe (or could not be started): from then on the stream ends when it closes it. */
  handOver(): void;
  /** Call once the command is over; `drained` = the end of the stream was seen, so that nobody can write any more. */
  release(drained: boolean): void;
}

/** Names of the pipes in the folder of processes begin so. */
export const pipePrefix = 'pipe-';

const batchSize = 4;

/**
 * Opens pipes in `processDir`. Node connects a child's stdout and stderr by two sockets; named pipes are used instead,
 * since they keep the order of what is written to the two, let commands open `/dev/stderr`, and can be passed on by name.
 */
export function createOutputPipes(deps: {
  readonly processDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly launch?: Launch;
}): () => Promise<OutputPipe> {
  const { processDir } = deps;
  const free: string[] = [];

  const makeBatch = async (): Promise<string> => {
    await mkdir(processDir, { recursive: true });
    const paths = Array.from({ length: batchSize }, () => path.join(processDir, `${pipePrefix}${randomUUID()}`));
    const args = ['-m', '600', ...paths];
    const group = await startProcessGroup(deps, {
      file: 'mkfifo',
      args,
      cwd: processDir,
      env: deps.env,
      output: 'collect',
    });
    const { exitCode, stderr } = await group.exited;
    group.release();
    if (exitCode !== 0) throw new CodetetherError('internal', `No pipe for a command's output: ${stderr.trim()}`);
    const [first = '', ...others] = paths;
    free.push(...others);
    return first;
  };

  return async () => {
    const fifo = free.pop() ?? (await makeBatch());
    const readFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    // Without any writer the stream would end before the command begins.
    const holdFd = openSync(fifo, constants.O_WRONLY);
    const stream = new Socket({ fd: readFd, readable: true, writable: false });
    return {
      path: fifo,
      stream,
      handOver() {
        closeSync(holdFd);
      },
      release(drained) {
        stream.destroy();
        if (drained) free.push(fifo);
        else rmSync(fifo, { force: true });
      },
    };
  };
}
