import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createToolRegistry, toolCatalogue } from '../../activities/tools/registry.ts';
import type { RalphOptions } from '../../domain/contracts/ralph.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createMemorySpool } from '../support/model-step.ts';
import { startWireServer, modelSettings, writeEvents } from '../support/model-server.ts';
import { chat, chatTool, chatUsage } from '../support/model-events.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let store: PostgresStore;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
  folder = await mkdtemp(join(tmpdir(), 'codetether-model-postgres-'));
});
afterAll(async () => {
  await store.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

const options: RalphOptions = {
  model: 'unused',
  maxIterations: 10,
  maxAttempts: 3,
  maxSteps: 10,
  maxConcurrent: 1,
  maxCostUsd: null,
  maxTokens: null,
  maxTimeMs: null,
};

async function openRun(runId: string, caps: Partial<RalphOptions> = {}): Promise<void> {
  const story = { id: 'US-1', title: 'One', description: 'Do it.' };
  const rest = {
    acceptanceCriteria: [],
    verificationSteps: [],
    passes: false,
    priority: 1,
    dependsOn: [],
    complexity: 3,
    allowedChanges: [],
    noChangeOk: false,
  };
  const prd = {
    project: 'p',
    feature: 'f',
    branchName: 'feature/f',
    version: '1.0',
    description: '',
    technicalRequirements: [],
    qualityChecks: {},
    stories: [{ ...story, ...rest }],
  };
  const place = { repoPath: '/repo', prdPath: '/repo/prd.json', branch: 'feature/f', hostId: 'h' };
  await store.openRun({ runId, ...place, options: { ...options, ...caps }, prd });
}

function activities(url: string) {
  return createModelActivities({
    store,
    settings: modelSettings(url),
    tools: toolCatalogue(createToolRegistry(), 'lean'),
    cancellationSignal: () => new AbortController().signal,
    attemptNumber: () => 1,
    spool: createMemorySpool(),
  });
}

const at = (runId: string, model: string, step = 1) => ({
  runId,
  storyId: 'US-1',
  attempt: 1,
  sessionId: `${runId}:US-1:1`,
  step,
  model,
});

describe('model calls on PostgreSQL', () => {
  it('are stored with transcript, usage and events, whatever characters the model uses', async () => {
    await openRun('run-a', { maxCostUsd: 5 });
    const server = await startWireServer((response) =>
      writeEvents(response, [
        chat({ role: 'assistant', reasoning_content: 'hm \u0000' }),
        chat({ content: 'I look. \u0000 \ud800 ✓' }),
        chatTool('call_0', '{"path":"a\\u0000b"}'),
        chat({}, 'tool_calls'),
        chatUsage,
      ]),
    );
    try {
      const { modelStep } = activities(server.url);
      await store.appendSessionEvents('run-a:US-1:1', [
        { key: 'system', kind: 'system', body: { text: 'You write software.' } },
        { key: 'user', kind: 'user', body: { text: 'look' } },
      ]);
      const first = await modelStep(at('run-a', 'openai-compatible/local'));
      expect(first).toMatchObject({
        kind: 'answered',
        stop: 'tool-calls',
        toolCalls: [{ id: 'call_0', name: 'list' }],
      });
      expect(await modelStep(at('run-a', 'openai-compatible/local'))).toEqual(first);
      expect(server.requests()).toHaveLength(1);
      const session = await store.readSession('run-a:US-1:1');
      expect(session.map(({ kind }) => kind)).toEqual(['system', 'user', 'assistant']);
      expect(session[2]?.body).toMatchObject({ text: 'I look. \ufffd \ufffd ✓' });
      await expect(modelStep(at('run-a', 'openai-compatible/local', 2))).resolves.toMatchObject({
        toolCalls: [{ id: '2-1' }],
      });
      expect(await store.getRun('run-a')).toMatchObject({
        ledger: { reservedUsd: 0, reservedTokens: 0, spentTokens: 30 },
        usage: { inputTokens: 20, outputTokens: 10, costUsd: 0.00035 },
      });
      const events = await store.readRunEvents('run-a', { afterSeq: 0, limit: 100 });
      // Output lines come when the machine is slow.
      expect(events.map(({ kind }) => kind).filter((kind) => kind !== 'step-output')).toEqual([
        'step-started',
        'warning',
        'model-answered',
        'step-started',
        'model-answered',
      ]);
    } finally {
      await server.stop();
    }
  });

  it('go on past the window: summaries are calls of the run, with their price, and no row is lost', async () => {
    await openRun('run-long', { maxCostUsd: 5 });
    const turn = { text: 'I look.', tools: [{ name: 'list', args: {} }] };
    const turns = Array.from({ length: 30 }, () => turn);
    const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 1 };
    const content = {
      version: 1,
      price,
      contextTokens: 10_000,
      summary: 'So far so good.',
      default: { attempts: [{ turns }] },
    };
    const path = join(folder, 'long.json');
    await writeFile(path, JSON.stringify(content));
    const { modelStep } = activities('http://127.0.0.1:9');
    const { sessionId } = at('run-long', '');
    await store.appendSessionEvents(sessionId, [{ key: 'user', kind: 'user', body: { text: 'look' } }]);
    for (let step = 1; step <= 16; step++) {
      const answer = await modelStep(at('run-long', `scripted/${path}`, step));
      if (answer.kind !== 'answered') throw new Error(answer.kind);
      for (const { id } of answer.toolCalls) {
        const body = { callId: id, tool: 'list', ok: true, output: 'x'.repeat(3200) };
        await store.appendSessionEvents(sessionId, [{ key: `r${id}`, kind: 'tool-result', body }]);
      }
    }
    const rows = await store.readSession(sessionId);
    const summaries = rows.filter(({ kind }) => kind === 'summary').length;
    expect(summaries).toBeGreaterThan(0);
    expect(rows.length).toBe(1 + 2 * 16 + summaries);
    const run = await store.getRun('run-long');
    expect(run?.ledger).toMatchObject({ steps: 16 + summaries, reservedUsd: 0, reservedTokens: 0 });
    const [spending] = await store.spending('run-long');
    expect(spending?.calls).toBe(16 + summaries);
    expect(run?.usage.costUsd).toBeCloseTo(spending?.usage.costUsd ?? 0, 9);
  });

  it('give their reservation back when they cost nothing, and are limited to what is left', async () => {
    await openRun('run-b', { maxTokens: 1000 });
    const script = join(folder, 'script.yaml');
    const turns =
      '[{ fault: { kind: overloaded }, usage: { inputTokens: 400, outputTokens: 300 } }, { usage: { inputTokens: 900, outputTokens: 300 } }]';
    await writeFile(script, `version: 1\ndefault: { attempts: [{ turns: ${turns} }] }\n`);
    const { modelStep } = activities('http://127.0.0.1:9');
    await expect(modelStep(at('run-b', `scripted/${script}`))).rejects.toMatchObject({ code: 'provider-overloaded' });
    expect((await store.getRun('run-b'))?.ledger).toMatchObject({ reservedTokens: 0, spentTokens: 0 });
    await expect(modelStep(at('run-b', `scripted/${script}`, 2))).resolves.toEqual({
      kind: 'budget-exceeded',
      budget: 'max-tokens',
    });
    const server = await startWireServer((response) =>
      writeEvents(response, [chat({ content: 'Done.' }), chat({}, 'stop'), chatUsage]),
    );
    try {
      await openRun('run-c', { maxTokens: 11_000 });
      await activities(server.url).modelStep(at('run-c', 'openai-compatible/local'));
      const [request] = server.requests();
      expect(JSON.stringify(request?.body)).toMatch(/"max_tokens":[1-5]\d\d\d,/);
    } finally {
      await server.stop();
    }
  });
});
