import { setTimeout as delay } from 'node:timers/promises';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../services/stack/ports.ts';
import { createToken, isReady, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

interface Replica {
  readonly serving: Serving;
  readonly grpcPort: number;
  /** A connection of its gRPC, for as long as it is ready. */
  grpc: Client | undefined;
}

const GrpcClient = makeGenericClientConstructor(A2AService, 'A2AService');

let stack: TestStack;
let token: string;
const replicas: Replica[] = [];
/** Those that said lately that they are ready, as something in front of them knows it. */
const ready = new Set<Replica>();
const over = new AbortController();

async function watchReadiness(replica: Replica): Promise<void> {
  while (!over.signal.aborted) {
    if (await isReady(replica.serving.url)) {
      replica.grpc ??= new GrpcClient(`127.0.0.1:${replica.grpcPort}`, credentials.createInsecure());
      ready.add(replica);
    } else {
      ready.delete(replica);
      // What was asked is still answered there.
      replica.grpc = undefined;
    }
    await delay(100);
  }
}

beforeAll(async () => {
  stack = await createTestStack();
  token = await createToken(stack, 'admin');
  const env = { CODETETHER_REQUESTS_PER_SECOND: '100000', CODETETHER_DRAIN_SECS: '4' };
  for (let count = 0; count < 2; count++) {
    const grpcPort = await freePort();
    const serving = await startServe(stack, { env, args: ['--grpc-port', String(grpcPort)] });
    replicas.push({ serving, grpcPort, grpc: undefined });
  }
  for (const replica of replicas) void watchReadiness(replica);
});
afterAll(async () => {
  over.abort();
  for (const { grpc } of replicas) grpc?.close();
  await stack.remove();
});

type Ask = (replica: Replica, request: { readonly worker: number; readonly count: number }) => Promise<string>;

/** @returns `ok` or what is wrong */
const askOverHttp: Ask = async ({ serving }, { worker, count }) => {
  const init =
    count % 2 === 0
      ? { method: 'GET' }
      : {
          method: 'POST',
          body: JSON.stringify({ name: `w${worker}`, folder: '/tmp' }),
          headers: { 'content-type': 'application/json', 'idempotency-key': `${worker}-${count}` },
        };
  try {
    const response = await fetch(`${serving.url}/v1/workspaces`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
    });
    await response.arrayBuffer();
    return response.ok ? 'ok' : String(response.status);
  } catch (error) {
    return String((error as Error).cause ?? error);
  }
};

const askOverGrpc: Ask = async ({ grpc }) => {
  const listTasks = Reflect.get(grpc ?? {}, 'listTasks') as (
    this: Client | undefined,
    request: object,
    metadata: Metadata,
    told: (error: ServiceError | null) => void,
  ) => void;
  const metadata = Metadata.fromHttp2Headers({ authorization: `Bearer ${token}` });
  return await new Promise((resolve) => {
    listTasks.call(grpc, { tenant: '', contextId: '', status: 0, pageToken: '' }, metadata, (error) =>
      resolve(error === null ? 'ok' : error.message),
    );
  });
};

test('no request over HTTP or gRPC is lost while two processes are restarted one after the other under load', async () => {
  await expect.poll(() => ready.size, { timeout: 60_000 }).toBe(2);
  const failures: string[] = [];
  const answered = new Map<string, number>();
  const answeredBy = (ask: Ask, { grpcPort }: Replica): number => answered.get(`${ask.name} ${grpcPort}`) ?? 0;
  const done = new AbortController();
  const load = async (ask: Ask, worker: number): Promise<void> => {
    for (let count = 0; !done.signal.aborted; count++) {
      const replica = [...ready][(worker + count) % ready.size];
      if (replica === undefined) {
        failures.push('no process is ready');
        return;
      }
      const told = await ask(replica, { worker, count });
      if (told !== 'ok') failures.push(`${ask.name}: ${told}`);
      answered.set(`${ask.name} ${replica.grpcPort}`, answeredBy(ask, replica) + 1);
    }
  };
  const workers = Promise.all([0, 1].flatMap((worker) => [load(askOverHttp, worker), load(askOverGrpc, worker)]));
  await delay(1_000);
  for (const replica of replicas) {
    const before = [askOverHttp, askOverGrpc].map((ask) => answeredBy(ask, replica));
    expect((await replica.serving.stop()).code).toBe(0);
    await replica.serving.restart();
    await expect.poll(() => ready.size, { timeout: 60_000 }).toBe(2);
    for (const [index, ask] of [askOverHttp, askOverGrpc].entries())
      await expect.poll(() => answeredBy(ask, replica), { timeout: 60_000 }).toBeGreaterThan((before[index] ?? 0) + 20);
  }
  done.abort();
  await workers;
  expect(failures).toEqual([]);
  expect([...answered.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200);
});
