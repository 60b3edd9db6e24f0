import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../services/stack/ports.ts';
import type { CliResult, RunningCli, TestStack } from './test-stack.ts';

/** A `codetether serve` beside a stack: at one address, also when it is restarted; it ends with the stack. */
export interface Serving {
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** By SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** By SIGTERM. */
  stop(): Promise<CliResult>;
  /** After it has ended; resolves when it is ready. */
  restart(): Promise<void>;
}

const readyMs = 60_000;

/** Resolves when it is ready. */
export async function startServe(
  stack: TestStack,
  {
    args = ['--no-grpc'],
    env = {},
  }: {
    /** Beside its port. */
    readonly args?: readonly string[];
    /** Beside the stack's. */
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): Promise<Serving> {
  const port = await freePort();
  const url = `${args.includes('--tls-cert') ? 'https' : 'http'}://127.0.0.1:${port}`;
  let server: RunningCli;
  const start = async (): Promise<void> => {
    server = stack.start(['serve', '--port', String(port), ...args], { env });
    await becomesReady(url, server);
  };
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<CliResult> => {
    process.kill(server.pid, signal);
    return await server.result;
  };
  await start();
  return {
    url,
    get pid() {
      return server.pid;
    },
    kill: async () => void (await end('SIGKILL')),
    stop: async () => await end('SIGTERM'),
    restart: start,
  };
}

async function becomesReady(url: string, server: RunningCli): Promise<void> {
  for (const deadline = Date.now() + readyMs; !(await isReady(url));) {
    const ended = await Promise.race([server.result, delay(100)]);
    if (ended === undefined && Date.now() < deadline) continue;
    if (ended === undefined) process.kill(server.pid, 'SIGKILL');
    throw new Error(`codetether serve does not get ready: ${(await server.result).stderr}`);
  }
}

/** As something in front of it knows it. */
export async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.status === 200;
}

/** For whoever asks over a port. */
export async function createToken(stack: TestStack, role: 'operator' | 'admin'): Promise<string> {
  const { code, stdout, stderr } = await stack.cli(['token', 'create', '--name', 'test', '--role', role]);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}
