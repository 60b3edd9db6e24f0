import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelStepResult } from '../../domain/contracts/activities.ts';
import { agentPath } from '../../domain/run/ids.ts';
import type { AgentRequest } from '../../domain/session/agent-requests.ts';
import { FakeWorld, answers } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  // The engine suggests continue-as-new at 4,096 events by default.
  bench = await startWorkflowTestBench({ 'limit.historyCount.suggestContinueAsNew': 120 });
}, 600_000);
afterAll(async () => {
  await bench.stop();
});

/** Types of the executions that have gone on in a new one; the engine lists them a moment later. */
async function continued(query: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { type, status } of bench.engine.client.workflow.list({ query }))
    if (status.name === 'CONTINUED_AS_NEW') types.push(type);
  return types;
}

test('long attempts and long runs continue as new without losing or repeating a step', async () => {
  const world = new FakeWorld(
    ['A', 'B', 'C', 'D', 'E', 'F'].map((id) => ({ id })),
    { model: ({ step }) => (step <= 25 ? answers.write : answers.finished) },
  );
  await bench.run(
    world,
    { maxSteps: 50 },
    async ({ runId, result }) => {
      expect(await result).toEqual({ outcome: 'completed', passed: 6, total: 6 });
      await expect
        .poll(async () => await continued(`WorkflowId STARTS_WITH "${runId}"`))
        .toEqual(expect.arrayContaining(['ralphRun', 'ralphStory']));
    },
    'continued',
  );
  for (const story of ['A', 'F']) {
    const steps = world.log.filter((line) => line.startsWith(`model ${story}:1:`));
    expect(steps).toEqual(Array.from({ length: 26 }, (_, index) => `model ${story}:1:${index + 1}`));
    expect(world.log.filter((line) => line === `advance m-${story}-1`)).toHaveLength(1);
  }
});

test('a long turn, and what waits behind it, go on in a new execution', async () => {
  const world = new FakeWorld([], {
    model: ({ attempt, step }) => (attempt === 1 && step <= 30 ? answers.write : answers.finished),
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', maxSteps: 40 });
      await send({ messageId: 'b' });
      while (world.turnEnds.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    'continued',
  );
  const steps = world.log.filter((line) => line.startsWith('model main:'));
  expect(steps).toEqual([...Array.from({ length: 31 }, (_, index) => `model main:1:${index + 1}`), 'model main:2:32']);
  expect(world.turnEnds.map(({ messageId, outcome }) => `${messageId} ${outcome}`)).toEqual([
    'a completed',
    'b completed',
  ]);
});

test('a long turn goes on in a new execution when the agents beside it have ended, and still knows them', async () => {
  const spawned = { kind: 'spawn', name: 'scout', agent: 'explore', readsOnly: true, forks: false } as const;
  const asks = (id: string, beside: AgentRequest): ModelStepResult => ({
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls: [{ id, name: beside.kind, risk: 'read', label: beside.kind, beside }],
    usage: answers.finished.usage,
  });
  const world = new FakeWorld([], {
    model: async ({ sessionId, step }) => {
      if (agentPath(sessionId) === 'scout') await new Promise((resolve) => setTimeout(resolve, 3_000));
      if (agentPath(sessionId) === 'scout') return answers.finished;
      if (step === 1) return asks('a', spawned);
      if (step === 30) return asks('b', { kind: 'wait', timeoutMs: 10_000 });
      return step < 30 ? answers.write : answers.finished;
    },
  });
  await bench.session(world, async ({ send, sessionId }) => {
    await send({ messageId: 'm', maxSteps: 40 });
    while (world.turnEnds.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await expect.poll(async () => await continued(`WorkflowId = "${sessionId}"`)).toContain('agentSession');
  });
  expect(world.log.filter((line) => /^(?:agent|b:)/.test(line))).toEqual([
    'agent :agent:scout.a reads',
    'agent :agent:scout.a finished',
    'b: [scout finished] No agent works now.',
  ]);
  expect(world.turnEnds).toMatchObject([{ outcome: 'completed', message: '' }]);
});
