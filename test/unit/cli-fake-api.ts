/** An API on a Unix socket that plays one run, and the program run against it as a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunDetailView } from '../../domain/contracts/api.ts';
import type { RunEvent } from '../../domain/run/events.ts';

export interface FakeApi {
  readonly folder: string;
  readonly socketPath: string;
  /** Method and path of every request, in order. */
  readonly requests: string[];
  /** Sends further events to all who listen. */
  readonly append: (events: readonly RunEvent[]) => void;
  /** Cuts every connection and answers nobody until `open` is called again. */
  readonly shut: () => Promise<void>;
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The one that the played run was started on. */
const lostHost = {
  hostId: 'host-1',
  name: 'tiger',
  pid: 1,
  version: '0.1.0',
  slots: 8,
  slotsUsed: 0,
  leases: 0,
  seenAt: '2026-03-01T12:00:00.000Z',
  alive: false,
};

export async function fakeApi(options: {
  /** The run as it is after the events so far. */
  readonly run: () => RunDetailView;
  readonly events: readonly RunEvent[];
}): Promise<FakeApi> {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-cli-'));
  const socketPath = join(folder, 'api.sock');
  const requests: string[] = [];
  const log = [...options.events];
  const listening = new Set<ServerResponse>();
  const line = (event: RunEvent) =>
    `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify({ schemaVersion: 1, runId: options.run().runId, ...event })}\n\n`;
  const isOver = () => log.at(-1)?.kind === 'run-ended';

  const newServer = () =>
    createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      requests.push(`${request.method} ${url.pathname}`);
      const answer = (status: number, body: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      const run = options.run();
      if (url.pathname === '/v1/hosts') return answer(200, { hosts: [lostHost] });
      const [, , , id, what] = url.pathname.split('/').map(decodeURIComponent);
      if (id === undefined) return answer(200, { runs: [run] });
      if (run.runId !== id && !run.runId.endsWith(`:${id}`)) {
        return answer(404, {
          code: 'not-found',
          title: `there is no run ${id}`,
          status: 404,
          problems: [],
          next: 'codetether ralph list',
          details: {},
        });
      }
      if (what === undefined) return answer(200, run);
      if (what !== 'events') return answer(200, { run: { ...run, status: 'paused' } });
      const since = Number(request.headers['last-event-id'] ?? 0);
      const missed = log.filter((event) => event.seq > since);
      if (isOver() && missed.length === 0) return response.writeHead(204).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(missed.map(line).join('') || ': ping\n\n');
      if (isOver()) return response.end();
      listening.add(response);
      response.on('close', () => listening.delete(response));
      return undefined;
    });
  let server = newServer();
  const open = async () => {
    server = newServer();
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  };
  const shut = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  await open();
  return {
    folder,
    socketPath,
    requests,
    append: (events) => {
      log.push(...events);
      for (const response of listening) {
        response.write(events.map(line).join(''));
        if (isOver()) response.end();
      }
    },
    shut,
    open,
    close: async () => {
      if (server.listening) await shut();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
}

const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

/** Off a terminal, in a time zone of its own, with nothing of this shell's settings. */
export function startProgram(
  args: readonly string[],
  options: { readonly cwd: string; readonly environment?: { readonly [name: string]: string } },
): Program {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: options.cwd,
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      // A stack that is started after all ends at once.
      CODETETHER_TEMPORAL_CLI: join(options.cwd, 'no-temporal'),
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr }))),
  };
}

export async function runProgram(...call: Parameters<typeof startProgram>): Promise<Ended> {
  return await startProgram(...call).ended;
}

/** Fails after five seconds. */
export async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !holds();) {
    if (Date.now() > end) throw new Error('it did not happen within five seconds');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
