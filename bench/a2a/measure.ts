/** A2A against a bare Temporal workflow on the same engine and against the SDK's own sample in memory, all in one run. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startServe } from '../../test/support/serving.ts';
import type { Serving } from '../../test/support/serving.ts';
import type { TestStack } from '../../test/support/test-stack.ts';
import { median, quantile } from '../commands.ts';
import { pssMb } from '../memory.ts';
import { bareQueue } from './bare-worker.ts';

export interface Throughput {
  /** One at a time. */
  readonly p50Ms: number;
  readonly alonePerSecond: number;
  /** Fifty at a time. */
  readonly perSecond: number;
}

export interface A2aFigures {
  readonly bare: Throughput;
  readonly sent: Throughput;
  readonly sampleSent: Throughput;
  /** Requests per second, ten at a time. */
  readonly getTask: { readonly ours: number; readonly sample: number };
  readonly listTasks: { readonly ours: number; readonly sample: number };
  readonly streamed: { readonly subscribers: number; readonly events: number; readonly lost: number };
  /** Of `GET /v1/runs`, a hundred at a time. */
  readonly readP50Ms: number;
  readonly idleStreams: { readonly count: number; readonly kbEach: number };
}

const many = 50;
const rounds = 300;
const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });

export async function measureA2a(stack: TestStack): Promise<A2aFigures> {
  const address = (JSON.parse((await stack.cli(['status', '--json'])).stdout) as { temporal_address: string })
    .temporal_address;
  const bareWorker = await child('bare-worker.ts', [address]);
  const connection = await Connection.connect({ address });
  const sample = await child('sample-server.ts', []);
  const servers = [await serve(stack), await serve(stack)] as const;
  const [{ url }] = servers;
  try {
    const client = new Client({ connection });
    const bare = await throughput(async () => {
      await client.workflow.execute('bare', { taskQueue: bareQueue, workflowId: `bench:${randomUUID()}` });
    });
    const sent = await throughput(async () => void (await completed(url)));
    const sampleSent = await throughput(async () => void (await completed(sample.firstLine)));
    const [own, foreign] = [await completed(url), await completed(sample.firstLine)];
    const get = async (at: string, id: string) => await reads(async () => void (await call(at, 'GetTask', { id })));
    const list = async (at: string) => await reads(async () => void (await call(at, 'ListTasks', { pageSize: 10 })));
    return {
      bare,
      sent,
      sampleSent,
      getTask: { ours: await get(url, own), sample: await get(sample.firstLine, foreign) },
      listTasks: { ours: await list(url), sample: await list(sample.firstLine) },
      streamed: await streamed(servers.map((server) => server.url)),
      readP50Ms: await readP50(url),
      idleStreams: await idleStreams(servers[0]),
    };
  } finally {
    await connection.close();
    bareWorker.process.kill('SIGKILL');
    sample.process.kill('SIGKILL');
    await Promise.all(servers.map(async (server) => await server.stop()));
  }
}

async function throughput(once: () => Promise<void>): Promise<Throughput> {
  for (let round = 0; round < 20; round++) await once();
  const times: number[] = [];
  const from = performance.now();
  for (let round = 0; round < rounds / 3; round++) {
    const began = performance.now();
    await once();
    times.push(performance.now() - began);
  }
  const alonePerSecond = (rounds / 3 / (performance.now() - from)) * 1_000;
  await Promise.all(Array.from({ length: many }, once));
  return { p50Ms: median(times), alonePerSecond, perSecond: await perSecond(many, once) };
}

/** Ten at a time, of a server that has answered such requests for a while. */
async function reads(once: () => Promise<void>): Promise<number> {
  await perSecond(10, once, 1_000);
  return await perSecond(10, once, 3_000);
}

async function perSecond(atOnce: number, once: () => Promise<void>, count = rounds * 2): Promise<number> {
  let begun = 0;
  const from = performance.now();
  const line = async (): Promise<void> => {
    while (begun < count) {
      begun++;
      await once();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, line));
  return (count / (performance.now() - from)) * 1_000;
}

/** @returns the task's id */
async function completed(url: string): Promise<string> {
  const { task } = (await call(url, 'SendMessage', { message: message('tck-complete-task') })) as {
    task: { id: string; status: { state: string } };
  };
  if (task.status.state !== 'TASK_STATE_COMPLETED') throw new Error(JSON.stringify(task));
  return task.id;
}

const message = (prefix: string) => ({
  messageId: `${prefix}-${randomUUID()}`,
  role: 'ROLE_USER',
  parts: [{ text: prefix }],
});

async function call(url: string, method: string, params: object): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const { result, error } = JSON.parse(await ask(url, body)) as { result?: unknown; error?: object };
  if (error !== undefined) throw new Error(JSON.stringify(error));
  return result;
}

async function ask(url: string, body?: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'a2a-version': '1.0' };
    const sent = httpRequest(url, { method: body === undefined ? 'GET' : 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The stream's data lines; resolves when it is open. */
async function subscribe(url: string, id: string): Promise<{ readonly lines: Promise<string[]>; close(): void }> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'a2a-version': '1.0' };
    const sent = httpRequest(url, { method: 'POST', agent: false, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      const lines = new Promise<string[]>((done) => {
        response.on('close', () => done(text.split('\n').filter((line) => line.startsWith('data: '))));
      });
      resolve({ lines, close: () => response.destroy() });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SubscribeToTask', params: { id } }));
  });
}

/** One task, whose work goes on for some seconds, followed by 200 on two replicas. */
async function streamed(urls: readonly string[]): Promise<A2aFigures['streamed']> {
  const subscribers = 200;
  const id = await begun(urls[0] ?? '', 'tck-stream-chunked');
  const streams = await Promise.all(
    Array.from({ length: subscribers }, async (_, index) => await subscribe(urls[index % urls.length] ?? '', id)),
  );
  const told = await Promise.all(streams.map(async ({ lines }) => await lines));
  // The first line is the task as it was then; all see the same end of what came behind it.
  const whole = told.reduce((longest, lines) => (lines.length > longest.length ? lines : longest)).slice(1);
  const lost = told.filter((lines) => {
    const own = lines.slice(1);
    return own.length === 0 || own.join() !== whole.slice(whole.length - own.length).join();
  }).length;
  return { subscribers, events: whole.length, lost };
}

async function begun(url: string, prefix: string): Promise<string> {
  const sent = { message: message(prefix), configuration: { returnImmediately: true } };
  const { task } = (await call(url, 'SendMessage', sent)) as { task: { id: string } };
  return task.id;
}

async function readP50(url: string): Promise<number> {
  const times: number[] = [];
  await perSecond(100, async () => {
    const from = performance.now();
    await ask(new URL('/v1/runs', url).href);
    times.push(performance.now() - from);
  });
  return quantile(times, 0.5);
}

async function idleStreams({ url, pid }: Serving): Promise<A2aFigures['idleStreams']> {
  const count = 500;
  const id = await begun(url, 'tck-input-required');
  await delay(5_000);
  const before = pssMb(pid);
  const streams = await Promise.all(Array.from({ length: count }, async () => await subscribe(url, id)));
  await delay(10_000);
  const kbEach = ((pssMb(pid) - before) * 1024) / count;
  for (const stream of streams) stream.close();
  return { count, kbEach };
}

async function serve(stack: TestStack): Promise<Serving> {
  return await startServe(stack, {
    args: ['--no-grpc', '--conformance', 'pure'],
    env: { CODETETHER_REQUESTS_PER_SECOND: '100000', CODETETHER_MAX_STREAMS: '5000' },
  });
}

async function child(
  file: string,
  args: readonly string[],
): Promise<{ readonly process: ChildProcess; readonly firstLine: string }> {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const node = join(fileURLToPath(new URL('../../', import.meta.url)), 'node_modules', '.bin', 'node');
  const started = spawn(node, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const firstLine = await new Promise<string>((resolve, reject) => {
    started.on('error', reject);
    started.on('close', (code) => reject(new Error(`${file} has ended with ${code}`)));
    started.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
  });
  return { process: started, firstLine };
}
