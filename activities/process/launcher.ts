import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CodetetherError } from '../../domain/errors.ts';
import type { Launch, LaunchExit, Launched, LaunchRequest } from './launch.ts';
import { createMessageReader, type LauncherAnswer } from './launcher-messages.ts';
import { signalGroup } from './process-group.ts';

export interface Launcher {
  readonly launch: Launch;
  /** Ends the launcher and with it, by SIGKILL, all that it has started and that still runs. */
  close(): void;
}

interface Pending {
  readonly started: PromiseWithResolvers<Launched>;
  readonly exited: PromiseWithResolvers<LaunchExit>;
  pid: number | undefined;
}

interface Connection {
  readonly pending: Map<number, Pending>;
  send(id: number, request: LaunchRequest): void;
  close(): void;
}

/**
 * Launches from a small process of its own, made with the first launch: starting a program costs this process
 * nothing, however large it is. When this process dies, by kill -9 too, the launcher kills what it has started. A launcher that dies
 * is replaced; what it had started is killed, and its exits reject with `worker-lost`.
 */
export function createLauncher(): Launcher {
  let connection: Connection | undefined;
  let nextId = 1;
  return {
    async launch(request) {
      connection ??= connect(() => {
        connection = undefined;
      });
      const id = nextId;
      nextId += 1;
      const pending: Pending = { started: Promise.withResolvers(), exited: Promise.withResolvers(), pid: undefined };
      // Looked at only after the start has succeeded.
      pending.exited.promise.catch(() => {});
      connection.pending.set(id, pending);
      connection.send(id, request);
      return pending.started.promise;
    },
    close() {
      connection?.close();
    },
  };
}

function connect(onLost: () => void): Connection {
  const child = startLauncherProcess();
  const pending = new Map<number, Pending>();
  let lost = false;

  /** While nothing is under way the launcher keeps no process alive. */
  const hold = (): void => {
    for (const handle of [child, child.stdin, child.stdout]) {
      if (!(handle instanceof Socket) && handle !== child) continue;
      if (pending.size > 0) handle.ref();
      else handle.unref();
    }
  };
  const settle = (id: number): void => {
    pending.delete(id);
    hold();
  };
  const lose = (): void => {
    if (lost) return;
    lost = true;
    onLost();
    const error = new CodetetherError('worker-lost', 'The process that starts commands was lost.');
    for (const [id, launch] of pending) {
      if (launch.pid !== undefined) signalGroup(launch.pid, 'SIGKILL');
      launch.started.reject(error);
      launch.exited.reject(error);
      settle(id);
    }
  };

  child.stdout.on(
    'data',
    createMessageReader((line) => {
      const answer: LauncherAnswer = JSON.parse(line);
      const launch = pending.get(answer.id);
      if (launch === undefined) return;
      if (answer.kind === 'started') {
        launch.pid = answer.pid;
        launch.started.resolve({ pid: answer.pid, exited: launch.exited.promise });
        return;
      }
      if (answer.kind === 'exited') launch.exited.resolve(answer.exit);
      else {
        const error = Object.assign(new Error(answer.message), { code: answer.code });
        launch.started.reject(error);
        launch.exited.reject(error);
      }
      settle(answer.id);
    }),
  );
  child.stdin.on('error', lose);
  child.once('error', lose);
  child.once('exit', lose);
  hold();

  return {
    pending,
    send(id, request) {
      hold();
      child.stdin.write(`${JSON.stringify({ id, request })}\n`);
    },
    close() {
      child.stdin.end();
    },
  };
}

function startLauncherProcess(): ChildProcessByStdio<Writable, Readable, null> {
  const source = import.meta.url.endsWith('.ts') ? './launcher-process.ts' : './launcher-process.js';
  const file = fileURLToPath(new URL(source, import.meta.url));
  return spawn(process.execPath, ['--max-semi-space-size=1', file], { env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
}
