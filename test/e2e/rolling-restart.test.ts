import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, isReady, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let token: string;
const replicas: Serving[] = [];
/** Those that said lately that they are ready, as something in front of them knows it. */
const ready = new Set<Serving>();
const over = new AbortController();

async function watchReadiness(replica: Serving): Promise<void> {
  while (!over.signal.aborted) {
    if (await isReady(replica.url)) ready.add(replica);
    else ready.delete(replica);
    await delay(100);
  }
}

beforeAll(async () => {
  stack = await createTestStack();
  token = await createToken(stack, 'admin');
  const env = { CODETETHER_REQUESTS_PER_SECOND: '100000', CODETETHER_DRAIN_SECS: '4' };
  for (let count = 0; count < 2; count++) replicas.push(await startServe(stack, { env }));
  for (const replica of replicas) void watchReadiness(replica);
}, 120_000);
afterAll(async () => {
  over.abort();
  await stack.remove();
});

test('no request is lost while two processes are restarted one after the other under load', async () => {
  await expect.poll(() => ready.size, { timeout: 60_000 }).toBe(2);
  const failures: string[] = [];
  const answered = new Map<string, number>();
  const done = new AbortController();
  const load = async (worker: number): Promise<void> => {
    for (let count = 0; !done.signal.aborted; count++) {
      const replica = [...ready][(worker + count) % ready.size];
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
    expect((await replica.stop()).code).toBe(0);
    await replica.restart();
    await expect.poll(() => ready.size, { timeout: 60_000 }).toBe(2);
    await expect.poll(() => answered.get(replica.url) ?? 0, { timeout: 20_000 }).toBeGreaterThan(before + 20);
  }
  done.abort();
  await workers;
  expect(failures).toEqual([]);
  expect([...answered.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200);
}, 180_000);
