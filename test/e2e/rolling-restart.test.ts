import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';

interface Replica {
  readonly url: string;
  readonly port: number;
  program: RunningCli;
}

let stack: TestStack;
let token: string;
const replicas: Replica[] = [];
/** Those that said lately that they are ready, as something in front of them knows it. */
let ready: readonly Replica[] = [];
const over = new AbortController();

const start = (port: number): RunningCli =>
  stack.start(['serve', '--port', String(port), '--no-grpc'], {
    // It is known at the next look that one drains.
    env: { CODETETHER_REQUESTS_PER_SECOND: '100000', CODETETHER_DRAIN_SECS: '5' },
  });

async function isReady({ url }: Replica): Promise<boolean> {
  const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(3_000) }).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.status === 200;
}

async function watchReadiness(): Promise<void> {
  while (!over.signal.aborted) {
    const states = await Promise.all(replicas.map(isReady));
    ready = replicas.filter((_, index) => states[index] === true);
    await delay(100);
  }
}

beforeAll(async () => {
  stack = await createTestStack();
  const made = await stack.cli(['token', 'create', '--name', 'load', '--role', 'admin']);
  expect(made.code, made.stderr).toBe(0);
  token = made.stdout.trim();
  for (let count = 0; count < 2; count++) {
    const port = await freePort();
    replicas.push({ url: `http://127.0.0.1:${port}`, port, program: start(port) });
  }
  void watchReadiness();
}, 120_000);
afterAll(async () => {
  over.abort();
  for (const { program } of replicas) {
    try {
      process.kill(program.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  await stack.remove();
});

test('no request is lost while two processes are restarted one after the other under load', async () => {
  await expect.poll(() => ready.length, { timeout: 60_000 }).toBe(2);
  const failures: string[] = [];
  const answered = new Map<string, number>();
  const done = new AbortController();
  const load = async (worker: number): Promise<void> => {
    for (let count = 0; !done.signal.aborted; count++) {
      const replica = ready[(worker + count) % ready.length];
      if (replica === undefined) {
        failures.push('no process is ready');
        return;
      }
      const init =
        count % 2 === 0
          ? { method: 'GET' }
          : {
              method: 'POST',
              body: JSON.stringify({ name: `w${worker}`, folder: '/tmp' }),
              headers: { 'content-type': 'application/json', 'idempotency-key': `${worker}-${count}` },
            };
      const response = await fetch(`${replica.url}/v1/workspaces`, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${token}` },
      }).catch((error: unknown) => String((error as Error).cause ?? error));
      if (typeof response === 'string') failures.push(response);
      else {
        await response.arrayBuffer();
        if (response.status >= 400) failures.push(String(response.status));
        answered.set(replica.url, (answered.get(replica.url) ?? 0) + 1);
      }
    }
  };
  const workers = Promise.all([0, 1, 2, 3].map(load));
  await delay(1_000);
  for (const replica of replicas) {
    const before = answered.get(replica.url) ?? 0;
    process.kill(replica.program.pid, 'SIGTERM');
    expect((await replica.program.result).code).toBe(0);
    replica.program = start(replica.port);
    await expect.poll(() => ready.length, { timeout: 60_000 }).toBe(2);
    await expect.poll(() => answered.get(replica.url) ?? 0, { timeout: 20_000 }).toBeGreaterThan(before + 20);
  }
  done.abort();
  await workers;
  expect(failures).toEqual([]);
  expect([...answered.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200);
}, 180_000);
