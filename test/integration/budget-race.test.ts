import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createToolRegistry, toolCatalogue } from '../../activities/tools/registry.ts';
import type { ModelStepResult } from '../../domain/contracts/activities.ts';
import { attemptId } from '../../domain/run/ids.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createMemorySpool } from '../support/model-step.ts';
import { modelSettings, startWireServer, writeEvents } from '../support/model-server.ts';
import { chat } from '../support/model-events.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { plan } from './store-fixtures.ts';
import type { PlanOptions } from './store-fixtures.ts';

const stories = Array.from({ length: 8 }, (_, index) => `US-${index + 1}`);

let database: TestDatabase;
let store: PostgresStore;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
  folder = await mkdtemp(join(tmpdir(), 'codetether-race-'));
});
afterAll(async () => {
  await store.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Each story calls the model until a cap ends it. @returns how many answers there were, and what the stories ended with */
async function race(runId: string, model: string, caps: PlanOptions, url = 'http://127.0.0.1:9') {
  await store.openRun(plan({ runId, stories: stories.map((id) => ({ id })), ...caps }));
  const { modelStep } = createModelActivities({
    store,
    settings: modelSettings(url),
    tools: toolCatalogue(createToolRegistry(), 'lean'),
    cancellationSignal: () => new AbortController().signal,
    attemptNumber: () => 1,
    spool: createMemorySpool(),
  });
  let answers = 0;
  const ends = await Promise.all(
    stories.map(async (storyId): Promise<ModelStepResult> => {
      const sessionId = attemptId(runId, storyId, 1);
      await store.appendSessionEvents(sessionId, [
        { key: 'u', kind: 'user', body: { text: 'Write 0123456789 often.' } },
      ]);
      for (let step = 1; ; step++) {
        const result = await modelStep({ runId, storyId, attempt: 1, sessionId, step, model });
        if (result.kind === 'budget-exceeded') return result;
        answers++;
      }
    }),
  );
  return { answers, ends, run: await store.getRun(runId), spending: await store.spending(runId) };
}

test('eight stories that race for the last cent spend the cap to the cent, and nothing over it', async () => {
  const script = join(folder, 'script.yaml');
  // One cent a call.
  const turn = '{ text: "go on", delayMs: 5, usage: { inputTokens: 6000, outputTokens: 4000 } }';
  await writeFile(
    script,
    `version: 1\nprice: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }\ndefault: { attempts: [{ turns: [${Array(40).fill(turn).join(', ')}] }] }\n`,
  );
  const { answers, ends, run, spending } = await race('ralph:race:cost', `scripted/${script}`, { maxCostUsd: 0.37 });
  expect(answers).toBe(37);
  expect(run?.ledger).toEqual({ spentUsd: 0.37, spentTokens: 370_000, reservedUsd: 0, reservedTokens: 0, steps: 37 });
  expect(ends).toEqual(stories.map(() => ({ kind: 'budget-exceeded', budget: 'max-cost' })));
  expect(spending.reduce((sum, row) => sum + row.calls, 0)).toBe(37);
});

test('the step cap is met to the call', async () => {
  const script = join(folder, 'script.yaml');
  const { answers, ends } = await race('ralph:race:steps', `scripted/${script}`, { maxTotalSteps: 21 });
  expect(answers).toBe(21);
  expect(ends).toEqual(stories.map(() => ({ kind: 'budget-exceeded', budget: 'max-total-steps' })));
});

test('a provider that counts a token for each byte and answers as much as it may stays under the cap', async () => {
  const server = await startWireServer((response, number) => {
    const body = server.requests()[number]?.body as { readonly max_tokens: number; readonly messages: unknown };
    const prompt_tokens = Buffer.byteLength(JSON.stringify(body.messages));
    writeEvents(response, [
      chat({ content: 'On and on.' }),
      chat({}, 'length'),
      { ...chat({}), choices: [], usage: { prompt_tokens, completion_tokens: body.max_tokens } },
    ]);
  });
  try {
    const { answers, run } = await race('ralph:race:bytes', 'openai-compatible/dear', { maxCostUsd: 3 }, server.url);
    expect(answers).toBeGreaterThan(8);
    expect(run?.ledger.spentUsd).toBeGreaterThan(2.5);
    expect(run?.ledger.spentUsd).toBeLessThanOrEqual(3);
    expect(run?.ledger).toMatchObject({ reservedUsd: 0, reservedTokens: 0 });
  } finally {
    await server.stop();
  }
}, 120_000);
