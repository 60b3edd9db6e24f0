import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAnswerSpool } from '../../activities/model/answer-spool.ts';
import { modelAfter } from '../../activities/model/refusal.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { RunEventBody } from '../../domain/run/events.ts';
import { createFakeModelStore } from '../support/fake-model-store.ts';
import type { FakeModelStore } from '../support/fake-model-store.ts';
import { chat, chatUsage } from '../support/model-events.ts';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireServer } from '../support/model-server.ts';
import { startSession } from '../support/model-step.ts';

const primary = 'openai-compatible/first';
const fallbackModel = 'openai-compatible/second';

let server: WireServer;
let folder: string;
let refuse: (number: number) => { readonly status: number; readonly headers?: { [name: string]: string } } | undefined;
beforeEach(async () => {
  refuse = () => undefined;
  folder = await mkdtemp(join(tmpdir(), 'codetether-spool-'));
  server = await startWireServer((response, number) => {
    const refusal = refuse(number);
    if (refusal === undefined) return writeEvents(response, [chat({ content: 'Done.' }), chat({}, 'stop'), chatUsage]);
    response.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers });
    response.end(JSON.stringify({ error: { message: 'Slow down.' } }));
    return undefined;
  });
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const waits = (store: FakeModelStore): RunEventBody<'model-waiting'>[] =>
  store.runEvents.flatMap((event) => (event.kind === 'model-waiting' ? [event.body] : []));

it('a rate limit is shown with the end of the wait that the provider asks for, and costs nothing', async () => {
  refuse = () => ({ status: 429, headers: { 'retry-after': '42' } });
  const { store, failure } = startSession(server.url, primary, 'go');
  const before = Date.now();
  const error = await failure();
  expect(error).toMatchObject({ code: 'provider-overloaded', details: { retryAfterMs: 42_000 } });
  const [wait] = waits(store);
  expect(wait).toMatchObject({ step: 1, reason: 'rate-limit', refusals: 1, mayHaveCost: false, nextModel: null });
  expect(wait?.message).toContain('Slow down.');
  const leftMs = Date.parse(wait?.until ?? '') - before;
  expect(leftMs).toBeGreaterThanOrEqual(42_000);
  expect(leftMs).toBeLessThan(44_000);
  expect(store.reservations.size).toBe(0);
  expect(store.spent().costUsd).toBe(0);
});

it('without a hint the waits double to a minute, differ from story to story and are the same for the same try', async () => {
  refuse = () => ({ status: 503 });
  const run = async (sessionId: string) => {
    let attempt = 0;
    const session = startSession(server.url, primary, 'go', { attemptNumber: () => attempt });
    const found: number[] = [];
    for (attempt = 1; attempt <= 9; attempt++)
      found.push(Number((await session.failure(1, { sessionId })).details['retryAfterMs']));
    expect(waits(session.store).map(({ refusals }) => refusals)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    return found;
  };
  const found = await run('a');
  for (const [index, waitMs] of found.entries()) {
    const base = Math.min(1_000 * 2 ** index, 60_000);
    expect(waitMs).toBeGreaterThanOrEqual(base * 0.75);
    expect(waitMs).toBeLessThanOrEqual(base * 1.25);
  }
  expect(await run('a')).toEqual(found);
  expect(await run('b')).not.toEqual(found);
});

it('a provider that cannot be reached is waited for', async () => {
  const { store, failure } = startSession('http://127.0.0.1:9', primary, 'go');
  expect((await failure()).code).toBe('provider-unreachable');
  expect(waits(store)).toMatchObject([{ reason: 'unreachable', mayHaveCost: false }]);
});

it('a provider that refuses for good is not waited for', async () => {
  refuse = () => ({ status: 400 });
  const { store, failure } = startSession(server.url, primary, 'go');
  expect((await failure()).code).toBe('provider-rejected');
  expect(waits(store)).toEqual([]);
});

it('after three refused tries the fall-back answers the step at once; the next step begins with the first model', async () => {
  refuse = (number) => (number < 3 ? { status: 429, headers: { 'retry-after': '3600' } } : undefined);
  let attempt = 1;
  const { store, failure, step } = startSession(server.url, primary, 'go', { attemptNumber: () => attempt });
  const delays: unknown[] = [];
  for (; attempt <= 3; attempt++) delays.push((await failure(1, { fallbackModel })).details['retryAfterMs']);
  expect(delays).toEqual([60_000, 60_000, 0]);
  expect(waits(store).map(({ nextModel }) => nextModel)).toEqual([null, null, fallbackModel]);
  await step(1, { fallbackModel });
  expect([...store.answers.values()].map(({ model }) => model)).toEqual([fallbackModel]);
  attempt = 1;
  await step(2, { fallbackModel });
  expect(server.requests().map(({ body }) => (body as { model: string }).model)).toEqual([
    'first',
    'first',
    'first',
    'second',
    'first',
  ]);
});

it('a fall-back that refuses too takes turns with the first model', () => {
  const input = { runId: 'r', storyId: 's', attempt: 1, sessionId: 'x', step: 1, model: primary, fallbackModel };
  expect([0, 1, 2, 3, 4, 5].map((refusals) => modelAfter(refusals, input))).toEqual([
    primary,
    primary,
    primary,
    fallbackModel,
    primary,
    fallbackModel,
  ]);
});

it('an answer that could not be stored before its worker died is stored by the next one, and not asked for again', async () => {
  const store = createFakeModelStore();
  const stopped = new AbortController();
  const first = startSession(server.url, primary, 'go', {
    store,
    spool: createAnswerSpool(folder),
    cancellationSignal: () => stopped.signal,
  });
  store.failAnswers(1_000, new CodetetherError('database-unreachable'));
  const lost = expect(first.step()).rejects.toThrow('gone');
  while (store.calls.answer < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  stopped.abort(new Error('gone'));
  await lost;
  expect(await readdir(folder)).toHaveLength(1);

  store.failAnswers(0, new Error('unused'));
  const next = startSession(server.url, primary, 'go', { store, spool: createAnswerSpool(folder) });
  await expect(next.step()).resolves.toMatchObject({ stop: 'finished' });
  expect(server.requests()).toHaveLength(1);
  expect(store.answers.size).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  ['anthropic/claude-x', 'ANTHROPIC_API_KEY'],
  ['openai-compatible/x', 'OPENAI_COMPATIBLE_BASE_URL'],
])('a worker that was started without what %s needs waits for it, and says what that is', async (model, variable) => {
  const nothing = { anthropic: {}, openai: {}, google: {}, openaiCompatible: {} };
  const { store, failure } = startSession(server.url, model, 'go', { settings: nothing });
  const error = await failure();
  expect(error).toMatchObject({ code: 'provider-unreachable', details: { retryAfterMs: 20_000 } });
  expect(store.runEvents.map(({ kind }) => kind)).toEqual(['step-started', 'model-waiting']);
  const [wait] = waits(store);
  expect(wait).toMatchObject({ reason: 'not-configured', mayHaveCost: false, provider: model.split('/')[0] });
  expect(wait?.message).toContain(`${variable} is not set for the worker; start the stack again with it`);
  expect(store.calls.reserve).toBe(0);
});
