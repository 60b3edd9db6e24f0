import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { openInputPipe } from '../process/input-pipe.ts';
import type { RunCommand } from '../process/run-command.ts';

/** A server that was started as a program, and speaks line by line. */
export interface LocalTransport extends Transport {
  /** The end of what it has written that is no message: its stderr and its exit code once it is over, and whatever else it prints. */
  readonly said: () => string;
  /** Resolves when it is over, with all that it had started. Never rejects. */
  readonly over: Promise<unknown>;
}

const maxMessageBytes = 16 * 1024 * 1024;
/** Of what is no message: a server that prints more is ended. */
const maxGarbageBytes = 64 * 1024 * 1024;
const keptCharacters = 4_000;

/**
 * Its stderr comes to the end of stdout, cut to its last part, once it is over: nobody can fill memory or disk with it, and why it has
 * ended is known.
 */
const script = `exec 3>&1; { "$@" <"$0" 2>&1 >&3 3>&-; echo "exit code $?"; } | { exec 3>&-; tail -c ${keptCharacters}; }`;

/** Starts the program with the connection; the signal ends both. */
export async function createLocalTransport(options: {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly processDir: string;
  readonly runCommand: RunCommand;
  readonly signal: AbortSignal;
}): Promise<LocalTransport> {
  const { command, cwd, env, processDir, runCommand } = options;
  const input = await openInputPipe(processDir, runCommand);
  const stop = new AbortController();
  const over = Promise.withResolvers<unknown>();
  let said = '';
  let garbageBytes = 0;
  /** Of a line that has not ended yet. */
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isClosed = false;

  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    stop.abort();
    transport.onclose?.();
  };
  const refuse = (reason: string): void => {
    said = reason;
    transport.onerror?.(new Error(reason));
    close();
  };
  const takeLine = (line: string): void => {
    if (line.trim() === '') return;
    const message = readMessage(line);
    if (message === undefined) {
      said = `${said}${line}\n`.slice(-keptCharacters);
      garbageBytes += line.length;
      if (garbageBytes > maxGarbageBytes) refuse('it prints too much that is no message');
      return;
    }
    try {
      transport.onmessage?.(message);
    } catch (error) {
      refuse(`it does not speak its protocol: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const endLine = (): void => {
    const line = Buffer.concat(rest).toString('utf8');
    rest = [];
    restBytes = 0;
    takeLine(line);
  };
  const receive = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1 && !isClosed; end = chunk.indexOf(10, from)) {
      rest.push(chunk.subarray(from, end));
      from = end + 1;
      endLine();
    }
    if (isClosed) return;
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > maxMessageBytes) refuse(`a message of it is larger than ${maxMessageBytes / 1024 / 1024} MiB`);
  };

  const transport: LocalTransport = {
    over: over.promise,
    said: () => said.trim(),
    start: async () => {
      void runCommand({
        command: ['/bin/sh', '-c', script, input.path, ...command],
        cwd,
        env,
        signal: AbortSignal.any([options.signal, stop.signal]),
        maxOutputBytes: 0,
        onOutput: receive,
      })
        .catch((error: unknown) => {
          said = error instanceof Error ? error.message : String(error);
        })
        .finally(() => {
          if (!isClosed) endLine();
          input.release();
          close();
          over.resolve(undefined);
        });
    },
    send: async (message) => {
      if (isClosed) throw new Error('the server has ended');
      input.stream.write(`${JSON.stringify(message)}\n`);
    },
    close: async () => {
      close();
      await over.promise;
    },
  };
  return transport;
}

/** Whether it is a message in all its parts is the protocol's to see. */
function readMessage(line: string): JSONRPCMessage | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isMessage = typeof value === 'object' && value !== null && 'jsonrpc' in value;
    return isMessage ? (value as JSONRPCMessage) : undefined;
  } catch {
    return undefined;
  }
}
