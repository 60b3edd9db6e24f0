import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import { createFakeModelStore } from '../support/fake-model-store.ts';
import type { FakeModelStore } from '../support/fake-model-store.ts';
import { createMemorySpool, startSession } from '../support/model-step.ts';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import { chat, chatUsage } from '../support/model-events.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'codetether-context-'))));
afterAll(async () => await rm(folder, { recursive: true }));

let scripts = 0;
async function script(
  content: object,
  turns: readonly object[] = Array.from({ length: 30 }, () => turn),
): Promise<string> {
  const path = join(folder, `script-${++scripts}.json`);
  await writeFile(path, JSON.stringify({ version: 1, default: { attempts: [{ turns }] }, ...content }));
  return `scripted/${path}`;
}
const turn = { text: 'I look.', tools: [{ name: 'list', args: {} }] };

/** Steps 1 to `count`, each with a result of some 1,000 tokens. */
async function work(session: ReturnType<typeof startSession>, count: number): Promise<void> {
  for (let step = 1; step <= count; step++) {
    const { toolCalls } = await session.step(step);
    for (const { id } of toolCalls) session.result(id, 'list', `${step} `.repeat(1600));
  }
}
const kinds = async (store: FakeModelStore) => (await store.readSession('s')).map(({ kind }) => kind);
const summaries = async (store: FakeModelStore) =>
  (await store.readSession('s')).flatMap((row) => (row.kind === 'summary' ? [row.body] : []));

describe('a transcript that is longer than the window', () => {
  it('goes on: older steps are summarised by a call of its own, once for each compaction', async () => {
    const model = await script({
      contextTokens: 10_000,
      summary: 'So far so good.',
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    });
    const store = createFakeModelStore({ caps: { maxCostUsd: 5 } });
    const session = startSession('http://127.0.0.1:9', model, 'do it', { store });
    await work(session, 24);
    const made = await summaries(store);
    expect(made.length).toBeGreaterThanOrEqual(2);
    expect(made.length).toBeLessThan(8);
    expect(made.every(({ text }) => text === 'So far so good.')).toBe(true);
    const calls = [...store.answers.values()];
    expect(calls).toHaveLength(24 + made.length);
    expect(store.reservations.size).toBe(0);
    expect(store.spent().costUsd).toBeCloseTo(calls.reduce((sum, { result }) => sum + result.usage.costUsd, 0));
    for (const { result } of calls) expect(result.usage.inputTokens).toBeLessThanOrEqual(9_000);
    expect((await kinds(store)).filter((kind) => kind === 'tool-result')).toHaveLength(24);
    expect(store.runEvents.some(({ body }) => 'label' in body && body.label === 'summarising…')).toBe(true);
  });

  it('goes on without a summary when the policy wants none', async () => {
    const store = createFakeModelStore({ policy: { kind: 'incremental', summaries: false } });
    const session = startSession('http://127.0.0.1:9', await script({ contextTokens: 10_000 }), 'do it', { store });
    await work(session, 24);
    expect(store.answers.size).toBe(24);
    expect(await summaries(store)).toEqual([]);
  });

  it('goes on without a summary when the budget has no room for one', async () => {
    const usage = { inputTokens: 10, outputTokens: 10 };
    const turns = Array.from({ length: 30 }, () => ({ ...turn, usage }));
    const model = await script({ contextTokens: 10_000, summary: 'long '.repeat(2000) }, turns);
    const store = createFakeModelStore({ caps: { maxTokens: 24 * 20 } });
    const session = startSession('http://127.0.0.1:9', model, 'do it', { store });
    await work(session, 24);
    expect(store.answers.size).toBe(24);
    expect(await summaries(store)).toEqual([]);
  });

  it('is an error with the policy off, and nothing is left out', async () => {
    const store = createFakeModelStore({ policy: { kind: 'off' } });
    const session = startSession('http://127.0.0.1:9', await script({ contextTokens: 10_000 }), 'do it', { store });
    await work(session, 9);
    const error = await session.failure(10);
    expect(error.code).toBe('context-too-long');
    expect(error.message).toContain('its context policy is off');
    expect(store.answers.size).toBe(9);
  });

  it('is not summarised twice when a worker dies between the summary and the step', async () => {
    const store = createFakeModelStore();
    const spool = createMemorySpool();
    const model = await script({ contextTokens: 10_000 });
    const session = startSession('http://127.0.0.1:9', model, 'do it', { store, spool });
    let step = 1;
    for (; (await summaries(store)).length === 0; step++) {
      const { toolCalls } = await session.step(step);
      for (const { id } of toolCalls) session.result(id, 'list', `${step} `.repeat(1600));
    }
    const [summary] = await summaries(store);
    const key = `s:summary:${summary?.fromSeq}-${summary?.toSeq}`;
    expect(store.answers.get(key)?.sessionEvent.kind).toBe('summary');
    await session.step(step - 1);
    expect(await summaries(store)).toHaveLength(1);
    expect(store.answers.size).toBe(step);
  });

  it('takes a summary that a dead worker has left on the disk, and does not ask for it again', async () => {
    const spool = createMemorySpool();
    const model = await script({ contextTokens: 100_000, summary: 'In short.' });
    const first = startSession('http://127.0.0.1:9', model, 'do it', { spool });
    await work(first, 6);
    const body = { fromSeq: 3, toSeq: 6, targetTokens: 200 };
    first.store.add('s', { key: 'wanted', kind: 'summary-request', body });
    await first.step(7);
    const paid = first.store.answers.get('s:summary:3-6');
    if (paid === undefined) throw new Error('no summary');
    // The same session without what the first worker could not store.
    const second = startSession(
      'http://127.0.0.1:9',
      await script({ contextTokens: 100_000, summary: 'Asked again.' }),
      'do it',
      { spool },
    );
    await work(second, 6);
    second.store.add('s', { key: 'wanted', kind: 'summary-request', body });
    await spool.write(paid);
    await second.step(7);
    expect((await summaries(second.store)).map(({ text }) => text)).toEqual(['In short.']);
    expect(spool.answers.size).toBe(0);
  });

  it('goes on without a summary that came out empty, which is paid for and not asked for again', async () => {
    const store = createFakeModelStore();
    const session = startSession('http://127.0.0.1:9', await script({ contextTokens: 10_000, summary: ' ' }), 'do it', {
      store,
    });
    await work(session, 12);
    const keys = [...store.answers.keys()].filter((key) => key.includes(':summary:'));
    expect(keys.length).toBeGreaterThan(0);
    expect(new Set(keys).size).toBe(keys.length);
    expect([...store.answers.keys()].filter((key) => !key.includes(':summary:'))).toHaveLength(12);
  });

  it('says once that a summary cannot be had, when the provider refuses it for good', async () => {
    const server = await startWireServer((response, number) => {
      const asked = JSON.stringify(server.requests()[number]?.body);
      if (asked.includes('Write the summary')) {
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: { message: 'no summaries here' } }));
      } else writeEvents(response, [chat({ content: 'Done.' }), chat({}, 'stop'), chatUsage]);
    });
    try {
      const session = startSession(server.url, 'openai-compatible/local', 'do it');
      session.store.add('s', { key: 'a', kind: 'assistant', body: { text: 'x'.repeat(9_000), toolCalls: [] } });
      const body = { fromSeq: 3, toSeq: 3, targetTokens: 200 };
      session.store.add('s', { key: 'wanted', kind: 'summary-request', body });
      await session.step(2);
      await session.step(3);
      expect(server.requests()).toHaveLength(3);
      const said = session.store.runEvents.filter(({ kind, key }) => kind === 'warning' && key.includes(':summary:'));
      expect(said).toHaveLength(1);
      expect(session.store.reservations.size).toBe(0);
    } finally {
      await server.stop();
    }
  });

  it('makes the summary that an agent has asked for before its next answer, and not again', async () => {
    const store = createFakeModelStore();
    const session = startSession(
      'http://127.0.0.1:9',
      await script({ contextTokens: 100_000, summary: 'In short.' }),
      'do it',
      { store },
    );
    await work(session, 6);
    const body = { fromSeq: 3, toSeq: 6, targetTokens: 200 };
    store.add('s', { key: 'wanted', kind: 'summary-request', body });
    await session.step(7);
    await session.step(8);
    expect(await summaries(store)).toEqual([{ fromSeq: 3, toSeq: 6, text: 'In short.' }]);
  });
});

describe('a provider that says that the conversation is too long', () => {
  const policies: ContextPolicy[] = [
    { kind: 'incremental', summaries: false },
    { kind: 'legacy', summaries: false },
  ];

  it.each(policies)(
    'is asked with half, until it takes it, and is not asked for more again ($kind)',
    async (policy) => {
      const fault = { kind: 'too-long', aboveTokens: 3_000 };
      const turns = Array.from({ length: 30 }, () => ({ ...turn, fault }));
      const store = createFakeModelStore({ policy });
      const session = startSession('http://127.0.0.1:9', await script({ contextTokens: 100_000 }, turns), 'do it', {
        store,
      });
      await work(session, 20);
      expect(store.answers.size).toBe(20);
      const refused = (await kinds(store)).filter((kind) => kind === 'window').length;
      expect(refused).toBeGreaterThan(0);
      expect(refused).toBeLessThan(4);
      expect(store.reservations.size).toBe(0);
    },
  );

  it('and takes not even the shortest ends the attempt with its own words', async () => {
    const fault = { kind: 'too-long', aboveTokens: 5 };
    const session = startSession('http://127.0.0.1:9', await script({}, [{ ...turn, fault }]), 'do it');
    const error = await session.failure(1);
    expect(error.code).toBe('context-too-long');
    expect(error.message).toBe('the conversation is too long for scripted (400), as the script says');
    expect(session.store.answers.size).toBe(0);
    expect(session.store.reservations.size).toBe(0);
  });

  it('over the wire is asked again with less, and the answer is the step’s', async () => {
    const sizes: number[] = [];
    const server = await startWireServer((response, number) => {
      const size = JSON.stringify(server.requests()[number]?.body).length;
      sizes.push(size);
      if (size > 30_000) {
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({
            error: { message: 'maximum context length is 8192 tokens', code: 'context_length_exceeded' },
          }),
        );
      } else writeEvents(response, [chat({ content: 'Done.' }), chat({}, 'stop'), chatUsage]);
    });
    try {
      const store = createFakeModelStore({ policy: { kind: 'incremental', summaries: false } });
      const session = startSession(server.url, 'openai-compatible/local', 'do it', { store });
      for (let step = 1; step <= 20; step++)
        store.add(
          's',
          {
            key: `a${step}`,
            kind: 'assistant',
            body: { text: '', toolCalls: [{ id: `c${step}`, name: 'list', args: {} }] },
          },
          {
            key: `r${step}`,
            kind: 'tool-result',
            body: { callId: `c${step}`, tool: 'list', ok: true, output: 'x'.repeat(4_000) },
          },
        );
      expect((await session.step(21)).stop).toBe('finished');
      expect(sizes.length).toBeGreaterThan(1);
      expect(sizes.at(-1)).toBeLessThanOrEqual(30_000);
    } finally {
      await server.stop();
    }
  });
});
