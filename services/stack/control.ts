/**
 * How commands talk to the supervisor: one JSON line each way over a Unix socket that only its owner may use.
 * Settings, which hold provider keys, travel this way so that no file holds them.
 */
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { controlSocketPath } from '../config/paths.ts';
import type { Problem } from '../../domain/errors.ts';
import { listenForOwner, makeSocketFolder } from './own-socket.ts';
import type { ChildName } from './paths.ts';
import type { StackState } from './state.ts';

export type ControlRequest =
  | { readonly op: 'state' }
  /** Gives worker and API the settings that are set here and differ there; what is not set here stays. */
  | {
      readonly op: 'attach';
      readonly settings: { readonly [name: string]: string };
      /** Which servers the caller wants, by the variables that name them. */
      readonly servers: { readonly [name: string]: string };
    }
  | { readonly op: 'stop' };

export type ControlReply =
  | { readonly kind: 'state'; readonly state: StackState }
  /** Worker and API were started again with these settings (names, not values). */
  | { readonly kind: 'restarted'; readonly changed: readonly string[]; readonly state: StackState }
  /** The stack runs on other servers than the caller wants. */
  | { readonly kind: 'other-servers'; readonly variables: readonly string[]; readonly state: StackState }
  /** Ask again when it is gone. */
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped'; readonly ended: readonly ChildName[] }
  | { readonly kind: 'failed'; readonly problem: Problem };

export type ControlHandler = (request: ControlRequest) => Promise<ControlReply>;

/** The exit status of a supervisor that found another one at work. */
export const otherSupervisorStatus = 3;

/** Takes over the socket's name; the caller holds the stack's lock. */
export async function serveControl(dataDir: string, handle: ControlHandler): Promise<Server> {
  const path = controlSocketPath(dataDir);
  await makeSocketFolder(path);
  await rm(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let received = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {
      // The command went away; its answer has nobody to go to.
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('end', () => {
      // Only this user can connect, and the requests are this program's own.
      const request = JSON.parse(received) as ControlRequest;
      void handle(request).then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
    });
  });
  await listenForOwner(path, async () => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  });
  return server;
}

/** `undefined` when no supervisor answers, or it went away before it did. */
export async function askSupervisor(
  dataDir: string,
  request: ControlRequest,
  options: { readonly timeoutMs: number },
): Promise<ControlReply | undefined> {
  return await new Promise((resolve) => {
    const socket = connect(controlSocketPath(dataDir));
    let received = '';
    socket.setEncoding('utf8');
    socket.setTimeout(options.timeoutMs, () => socket.destroy());
    socket.on('connect', () => socket.end(JSON.stringify(request)));
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('error', () => {
      // No socket or nobody behind it: `close` follows.
    });
    socket.on('close', () => resolve(received.endsWith('\n') ? (JSON.parse(received) as ControlReply) : undefined));
  });
}
