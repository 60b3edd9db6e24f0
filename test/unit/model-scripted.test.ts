import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createToolRegistry, toolCatalogue } from '../../activities/tools/registry.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { createMemorySpool } from '../support/model-step.ts';
import { createFakeModelStore } from '../support/fake-model-store.ts';
import type { FakeModelStore } from '../support/fake-model-store.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codetether-scripted-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

let scripts = 0;
async function script(text: string): Promise<string> {
  const path = join(folder, `${++scripts}.yaml`);
  await writeFile(path, text);
  return path;
}

async function faulty(fault: string): Promise<string> {
  return await script(`version: 1\ndefault: { attempts: [{ turns: [{ text: "one two three", fault: ${fault} }] }] }\n`);
}

interface Options {
  readonly store?: FakeModelStore;
  readonly tryNumber?: number;
  readonly signal?: AbortSignal;
  readonly idleTimeoutMs?: number;
}

function activities({ store = createFakeModelStore(), tryNumber = 1, signal, idleTimeoutMs }: Options) {
  return createModelActivities({
    store,
    settings: { anthropic: {}, openai: {}, google: {}, openaiCompatible: {} },
    tools: toolCatalogue(createToolRegistry(), 'lean'),
    cancellationSignal: () => signal ?? new AbortController().signal,
    attemptNumber: () => tryNumber,
    spool: createMemorySpool(),
    ...(idleTimeoutMs === undefined ? {} : { timeouts: { idleTimeoutMs } }),
  });
}

const at = (path: string, step = 1, storyId = 'US-001', attempt = 1) => ({
  runId: 'r',
  storyId,
  attempt,
  sessionId: `r:${storyId}:${attempt}`,
  step,
  model: `scripted/${path}`,
});

async function failure(promise: Promise<unknown>): Promise<CodetetherError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CodetetherError)) throw new Error(`no failure: ${String(error)}`);
  return error;
}

describe('a script', () => {
  it('answers by story, attempt and step; the last attempt also answers later ones', async () => {
    const path = await script(`
version: 1
stories:
  US-001:
    attempts:
      - turns: [{ text: one }, { text: two }]
      - turns: [{ text: again }]
default: { attempts: [{ turns: [{ text: 'any {{story}}' }] }] }
`);
    const store = createFakeModelStore();
    const { modelStep } = activities({ store });
    for (const call of [at(path), at(path, 2), at(path, 1, 'US-001', 2), at(path, 1, 'US-001', 5), at(path, 1, 'X')])
      await modelStep(call);
    expect(
      [...store.answers.values()].map(({ sessionEvent }) =>
        'text' in sessionEvent.body ? sessionEvent.body.text : '',
      ),
    ).toEqual(['one', 'two', 'again', 'again', 'any X']);
  });

  it('asks for tools with ids of its own, its placeholders filled in everywhere', async () => {
    const path = await script(`
version: 1
default:
  attempts:
    - turns:
        - text: Writing.
          tools:
            - { name: write, args: { path: '{{story}}/{{attempt}}.txt', content: '{{step}}' } }
            - { name: bash, args: { command: 'ls', list: ['{{story}}', 7] } }
`);
    const store = createFakeModelStore();
    const result = await activities({ store }).modelStep(at(path));
    expect(result).toMatchObject({
      stop: 'tool-calls',
      toolCalls: [
        { id: '1-1', name: 'write', risk: 'write', label: 'write US-001/1.txt' },
        { id: '1-2', name: 'bash', risk: 'shell' },
      ],
    });
    expect(store.answers.get('r:US-001:1:1')?.sessionEvent.body).toEqual({
      text: 'Writing.',
      toolCalls: [
        { id: '1-1', name: 'write', args: { path: 'US-001/1.txt', content: '1' } },
        { id: '1-2', name: 'bash', args: { command: 'ls', list: ['US-001', 7] } },
      ],
    });
  });

  it('with usage and price costs what it says, and reads the transcript only for plan mode', async () => {
    const path = await script(`
version: 1
price: { inputPerMillionUsd: 3, outputPerMillionUsd: 15 }
default: { attempts: [{ turns: [{ text: Done., usage: { inputTokens: 1000, outputTokens: 100 } }] }] }
`);
    const store = createFakeModelStore();
    const result = await activities({ store }).modelStep(at(path));
    expect(result).toMatchObject({
      stop: 'finished',
      usage: { inputTokens: 1000, outputTokens: 100, costUsd: 0.0045 },
    });
    expect(store.calls).toMatchObject({ reserve: 1, answer: 1, readSession: 1 });
    expect(store.runEvents.map(({ kind, key }) => [kind, key])).toEqual([
      ['step-started', 'r:US-001:1:1:start'],
      ['model-answered', 'r:US-001:1:1:answered'],
    ]);
  });

  it('without them costs nothing, its tokens estimated from what the model would have read', async () => {
    const path = await script('version: 1\ndefault: { attempts: [{ turns: [{ text: "1234567" }] }] }\n');
    const store = createFakeModelStore();
    store.add('r:US-001:1', { key: 'u', kind: 'user', body: { text: 'x'.repeat(3200) } });
    const result = await activities({ store }).modelStep(at(path));
    expect(result).toMatchObject({ usage: { outputTokens: 3, costUsd: 0 } });
    expect(store.spent().inputTokens).toBeGreaterThan(1000);
    expect(store.calls.readSession).toBe(1);
  });

  it('is held to the caps of the run', async () => {
    const path = await script(`
version: 1
price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }
default: { attempts: [{ turns: [{ usage: { inputTokens: 500000, outputTokens: 500000 } }] }] }
`);
    const store = createFakeModelStore({ caps: { maxCostUsd: 1.5 }, spent: { costUsd: 0.6 } });
    const result = await activities({ store }).modelStep(at(path));
    expect(result).toEqual({ kind: 'budget-exceeded', budget: 'max-cost' });
    expect(store.calls.answer).toBe(0);
  });

  it('that has no answer says for what', async () => {
    const path = await script('version: 1\nstories: { US-001: { attempts: [{ turns: [{ text: a }] }] } }\n');
    const error = await failure(activities({}).modelStep(at(path, 2)));
    expect(error).toMatchObject({
      code: 'script-exhausted',
      message: 'the model script has no answer for story US-001, attempt 1, step 2',
      details: { storyId: 'US-001', attempt: 1, step: 2 },
    });
    expect(error.entry.retryable).toBe(false);
    expect((await failure(activities({}).modelStep(at(path, 1, 'US-002')))).code).toBe('script-exhausted');
  });

  it('that changes is read again', async () => {
    const path = await script('version: 1\ndefault: { attempts: [{ turns: [{ text: old }] }] }\n');
    const store = createFakeModelStore();
    const { modelStep } = activities({ store });
    await modelStep(at(path, 1, 'A'));
    await writeFile(path, 'version: 1\ndefault: { attempts: [{ turns: [{ text: newer }] }] }\n');
    await modelStep(at(path, 1, 'B'));
    expect(store.answers.get('r:B:1:1')?.sessionEvent.body).toMatchObject({ text: 'newer' });
  });

  it('the example of the documentation does what is written there', async () => {
    const page = await readFile(new URL('../../docs/scripted-models.md', import.meta.url), 'utf8');
    const [example] = /(?<=```yaml\n)[\s\S]*?(?=```)/.exec(page) ?? [];
    const path = await script(example ?? '');
    const store = createFakeModelStore();
    const step = async (number: number, attempt = 1) =>
      await activities({ store, tryNumber: 2 }).modelStep(at(path, number, 'US-001', attempt));
    expect(await step(1)).toMatchObject({ stop: 'tool-calls', toolCalls: [{ label: 'write greeting.txt' }] });
    expect(await step(2)).toMatchObject({ stop: 'finished' });
    expect(await step(1, 2)).toMatchObject({ toolCalls: [{ id: '1-1' }, { id: '1-2' }] });
    expect(await step(2, 2)).toMatchObject({ stop: 'finished', usage: { inputTokens: 1200, outputTokens: 40 } });
    expect(store.spent().costUsd).toBeGreaterThan(0);
  });
});

describe('faults', () => {
  it.each([
    ['{ kind: rate-limit, retryAfterMs: 1500 }', 'provider-overloaded', { retryAfterMs: 1500, mayHaveCost: false }, 0],
    ['{ kind: overloaded }', 'provider-overloaded', { mayHaveCost: false }, 0],
    ['{ kind: rejected }', 'provider-rejected', { mayHaveCost: false }, 0],
    ['{ kind: disconnect }', 'provider-unreachable', { mayHaveCost: true }, 1],
  ])('%s', async (fault, code, details, reservations) => {
    const path = await faulty(fault);
    const store = createFakeModelStore();
    const error = await failure(activities({ store }).modelStep(at(path)));
    expect(error).toMatchObject({ code, details });
    expect(store.reservations.size).toBe(reservations);
    expect(store.answers.size).toBe(0);
  });

  it('fail the first tries of the call, whichever process makes them, then it answers', async () => {
    const path = await faulty('{ kind: overloaded, times: 2 }');
    const store = createFakeModelStore();
    for (const tryNumber of [1, 2])
      expect((await failure(activities({ store, tryNumber }).modelStep(at(path)))).code).toBe('provider-overloaded');
    await expect(activities({ store, tryNumber: 3 }).modelStep(at(path))).resolves.toMatchObject({ kind: 'answered' });
    expect(store.reservations.size).toBe(0);
  });

  it('a hanging provider is given up after the idle time-out', async () => {
    const path = await faulty('{ kind: hang }');
    const error = await failure(activities({ idleTimeoutMs: 40 }).modelStep(at(path)));
    expect(error.code).toBe('provider-silent');
  });

  it('a hanging provider can be cancelled', async () => {
    const path = await faulty('{ kind: hang }');
    const controller = new AbortController();
    const call = activities({ signal: controller.signal }).modelStep(at(path));
    setTimeout(() => controller.abort(new Error('cancelled by test')), 30);
    await expect(call).rejects.toThrow('cancelled by test');
  });
});

describe('time', () => {
  it('a delay is waited before the answer, and ends when the call is cancelled', async () => {
    const path = await script(
      'version: 1\ndelayMs: 60\ndefault: { attempts: [{ turns: [{ text: a }, { delayMs: 60000 }] }] }\n',
    );
    const store = createFakeModelStore();
    const controller = new AbortController();
    const { modelStep } = activities({ store, signal: controller.signal });
    const startMs = performance.now();
    await modelStep(at(path));
    expect(performance.now() - startMs).toBeGreaterThan(55);
    setTimeout(() => controller.abort(new Error('cancelled by test')), 30);
    await expect(modelStep(at(path, 2))).rejects.toThrow('cancelled by test');
    expect(performance.now() - startMs).toBeLessThan(5000);
  });

  it('the text is streamed in pieces as output of the step', async () => {
    const path = await script(
      'version: 1\ndefault: { attempts: [{ turns: [{ text: "first line\\nsecond line\\nthird line", chunks: 3, delayMs: 1500 }] }] }\n',
    );
    const store = createFakeModelStore();
    await activities({ store }).modelStep(at(path));
    const output = store.runEvents.filter(({ kind }) => kind === 'step-output');
    expect(output.map(({ key }) => key)).toEqual([
      'r:US-001:1:1:out:1-1',
      'r:US-001:1:1:out:1-2',
      'r:US-001:1:1:out:1-3',
    ]);
    expect(output[0]?.body).toEqual({ step: 1, line: 'first line' });
  });
});

describe('a call that was made before', () => {
  it('is returned from the store without asking', async () => {
    const path = await script('version: 1\ndefault: { attempts: [{ turns: [{ text: a }] }] }\n');
    const store = createFakeModelStore();
    const first = await activities({ store }).modelStep(at(path));
    await rm(path);
    await expect(activities({ store, tryNumber: 2 }).modelStep(at(path))).resolves.toEqual(first);
    expect(store.calls).toMatchObject({ reserve: 1, answer: 1 });
  });

  it('and was answered elsewhere meanwhile has the answer that was stored first', async () => {
    const path = await script('version: 1\ndefault: { attempts: [{ turns: [{ text: a, delayMs: 50 }] }] }\n');
    const other = await script('version: 1\ndefault: { attempts: [{ turns: [{ tools: [{ name: list }] }] }] }\n');
    const store = createFakeModelStore();
    const slow = activities({ store }).modelStep(at(path));
    const quick = await activities({ store }).modelStep(at(other));
    await expect(slow).resolves.toEqual(quick);
    expect((await store.readSession('r:US-001:1')).filter(({ kind }) => kind === 'assistant')).toHaveLength(1);
  });

  it('is kept trying to be stored while the database is away: it was paid for', async () => {
    const path = await script('version: 1\ndefault: { attempts: [{ turns: [{ text: a }] }] }\n');
    const store = createFakeModelStore();
    store.failAnswers(2, new CodetetherError('database-unreachable'));
    await expect(activities({ store }).modelStep(at(path))).resolves.toMatchObject({ stop: 'finished' });
    expect(store.calls.answer).toBe(3);
    store.failAnswers(9, new CodetetherError('internal', 'a defect'));
    expect((await failure(activities({ store }).modelStep(at(path, 1, 'B')))).message).toBe('a defect');
  });
});
