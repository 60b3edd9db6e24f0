import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CodetetherError } from '../../domain/errors.ts';
import type { Launch, LaunchExit, Launched, LaunchRequest } from './launch.ts';
import { createMessageReader, type LauncherAnswer } from './launcher-messages.ts';
import { killCommands } from './process-registry.ts';

export interface Launcher {
  readonly launch: Launch;
  /** Ends the launcher and with it, by SIGKILL, all that it has started and that still runs. */
  close(): void;
}

interface Pending {
  readonly request: LaunchRequest;
  readonly started: PromiseWithResolvers<Launched>;
  readonly exited: PromiseWithResolvers<LaunchExit>;
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
      const pending: Pending = { request, started: Promise.withResolvers(), exited: Promise.withResolvers() };
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
    const launches = [...pending.values()];
    pending.clear();
    hold();
    void endLost(launches);
  };

  child.stdout.on(
    'data',
    createMessageReader((line) => {
      const answer: LauncherAnswer = JSON.parse(line);
      const launch = pending.get(answer.id);
      if (launch === undefined) return;
      if (answer.kind === 'started') {
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

/** What a lost launcher had started is over before its launches reject: nothing runs beside the command that is tried again. */
async function endLost(launches: readonly Pending[]): Promise<void> {
  const byFolder = Map.groupBy(launches, ({ request }) => request.processDir);
  for (const [folder, lost] of byFolder) await killCommands(folder, new Set(lost.map(({ request }) => request.token)));
  const error = new CodetetherError('worker-lost', 'The process that starts commands was lost.');
  for (const launch of launches) {
    launch.started.reject(error);
    launch.exited.reject(error);
  }
}

function startLauncherProcess(): ChildProcessByStdio<Writable, Readable, null> {
  const source = import.meta.url.endsWith('.ts') ? './launcher-process.ts' : './launcher-process.js';
  const file = fileURLToPath(new URL(source, import.meta.url));
  return spawn(process.execPath, ['--max-semi-space-size=1', file], { env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
}
