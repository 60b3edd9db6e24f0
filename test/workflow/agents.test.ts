import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelStepResult, SpawnedAgent } from '../../domain/contracts/activities.ts';
import { answerUpdate } from '../../domain/run/approval.ts';
import { agentDepth } from '../../domain/run/ids.ts';
import { FakeWorld, answers } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
});
afterAll(async () => {
  await bench.stop();
});

const build: SpawnedAgent = { readsOnly: false, maxSteps: 5 };

/** An answer that starts an agent for each id. */
function starts(ids: readonly string[], spawns: SpawnedAgent): ModelStepResult {
  const risk = spawns.readsOnly ? 'read' : 'shell';
  const toolCalls = ids.map((id) => ({ id, name: 'agent', risk, label: `agent ${id}`, spawns }) as const);
  return { kind: 'answered', stop: 'tool-calls', toolCalls, usage: answers.finished.usage };
}

const ended = async (world: FakeWorld): Promise<void> => {
  while (world.turnEnds.length === 0) await delay(20);
};
const agentLines = (world: FakeWorld) => world.log.filter((line) => /^(agent|deny) /.test(line));

test('agents are started down to the depth that is allowed, each with the shares of those above it', async () => {
  const shares: unknown[] = [];
  const world = new FakeWorld([], {
    model: (call) => {
      if (call.step > 1) return answers.finished;
      const depth = agentDepth(call.sessionId);
      if (depth > 0) shares.push(call.shares?.map(({ maxCostUsd }) => maxCostUsd));
      return starts(['a'], { ...build, maxCostUsd: 3 - depth });
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'm' });
      await ended(world);
    },
    'nested',
  );
  expect(world.turnEnds[0]?.outcome).toBe('completed');
  expect(agentLines(world)).toEqual([
    'agent :agent:a',
    'agent :agent:a:agent:a',
    expect.stringMatching(/^deny main:a budget-exceeded \(depth\)/),
    'agent :agent:a:agent:a finished',
    'agent :agent:a finished',
  ]);
  expect(shares).toEqual([[3], [3, 2]]);
});

test('agents that only read work side by side, and start none that changes files', async () => {
  const begun = new Set<string>();
  const both = Promise.withResolvers<void>();
  const world = new FakeWorld([], {
    model: async ({ sessionId, step, readsOnly }) => {
      if (agentDepth(sessionId) === 0)
        return step === 1 ? starts(['a', 'b'], { ...build, readsOnly: true }) : answers.finished;
      expect(readsOnly).toBe(true);
      if (step > 1) return answers.finished;
      begun.add(sessionId);
      if (begun.size === 2) both.resolve();
      await both.promise;
      return starts(['c'], build);
    },
  });
  await bench.session(world, async ({ send }) => {
    await send({ messageId: 'm' });
    await ended(world);
  });
  expect(agentLines(world).filter((line) => line.startsWith('deny main:c you only read'))).toHaveLength(2);
  expect(world.turnEnds[0]?.outcome).toBe('completed');
});

test('an agent that does not finish is told to the one that has started it, which goes on', async () => {
  const world = new FakeWorld([], {
    model: ({ sessionId, step }) => {
      if (agentDepth(sessionId) === 0) return step === 1 ? starts(['a', 'b'], build) : answers.finished;
      return sessionId.endsWith('a') ? answers.write : { kind: 'budget-exceeded', budget: 'agent-share' };
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'm' });
      await ended(world);
    },
    'unfinished',
  );
  expect(agentLines(world)).toEqual([
    'agent :agent:a',
    'agent :agent:a max-steps not finished after 5 steps',
    'agent :agent:b',
    'agent :agent:b budget-exceeded the next model call does not fit (agent-share)',
  ]);
  expect(world.turnEnds[0]?.outcome).toBe('completed');
});

test('an interruption reaches the agents that were started', async () => {
  const begun = Promise.withResolvers<void>();
  const world = new FakeWorld([], {
    model: ({ sessionId }) => (agentDepth(sessionId) === 0 ? starts(['a'], build) : answers.bash),
    tool: async () => {
      begun.resolve();
      const { Context } = await import('@temporalio/activity');
      const beat = setInterval(() => Context.current().heartbeat(), 200);
      await Context.current().cancelled.finally(() => clearInterval(beat));
    },
  });
  await bench.session(
    world,
    async ({ send, handle }) => {
      await send({ messageId: 'm' });
      await begun.promise;
      await handle().executeUpdate('interrupt');
      await ended(world);
    },
    'agent-interrupted',
  );
  expect(world.turnEnds[0]?.outcome).toBe('cancelled');
});

test("a budget line that an agent of a story's agent comes to is asked about once, and all go on", async () => {
  const world: FakeWorld = new FakeWorld([{ id: 'A' }], {
    model: ({ sessionId, step }) => {
      if (agentDepth(sessionId) === 0) return step === 1 ? starts(['a'], build) : answers.finished;
      const line = { percent: 80, spentUsd: 0.81, maxCostUsd: 1 };
      return world.log.includes('event budget-line-reached') ? answers.finished : { kind: 'budget-line', line };
    },
  });
  const result = await bench.run(world, { onAsk: 'wait' }, async (run) => {
    while (world.approvals.size === 0) await delay(20);
    const [approval] = world.approvals.values();
    await run.handle.executeUpdate(answerUpdate, {
      args: [{ approvalId: approval?.approvalId, choice: 'go on', answeredBy: 'me', note: '' }],
    });
    return await run.result;
  });
  expect(result).toMatchObject({ outcome: 'completed', passed: 1 });
  expect(world.log.filter((line) => line.startsWith('ask'))).toHaveLength(1);
});
