import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeWorld, answers } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
}, 600_000);
afterAll(async () => {
  await bench.stop();
});

async function untilLogged(world: FakeWorld, line: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(10))
    if (world.log.includes(line)) return;
  throw new Error(`no ${line} in\n${world.log.join('\n')}`);
}

test('a nudge is told before the next step, also to an agent that was about to finish', async () => {
  const gate = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }], {
    model: async ({ step }) => {
      if (step === 1) await gate.promise;
      return answers.finished;
    },
  });
  const result = await bench.run(
    world,
    {},
    async (run) => {
      await untilLogged(world, 'model A:1:1');
      await run.handle.executeUpdate('nudge', { args: [{ storyId: 'A', text: 'use the library' }] });
      const nobody = run.handle.executeUpdate('nudge', { args: [{ storyId: 'B', text: 'x' }] });
      await expect(nobody).rejects.toThrow('Workflow Update failed');
      gate.resolve();
      return await run.result;
    },
    'nudged',
  );
  expect(result.outcome).toBe('completed');
  const told = world.log.indexOf('nudge A use the library');
  expect(told).toBeGreaterThan(world.log.indexOf('model A:1:1'));
  expect(told).toBeLessThan(world.log.indexOf('model A:1:2'));
  expect(world.log.filter((line) => line.startsWith('nudge'))).toHaveLength(1);
});

test('a failed story is opened again while the run goes on, for one more attempt', async () => {
  const gate = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    gate: ({ storyId, attempt, where }) => !(storyId === 'A' && (attempt ?? 0) < 2 && where === 'workspace'),
    model: async ({ storyId }) => {
      if (storyId === 'B') await gate.promise;
      return answers.finished;
    },
  });
  const result = await bench.run(
    world,
    { maxAttempts: 1 },
    async (run) => {
      await untilLogged(world, 'event story-failed A');
      const retry = async (storyId: string) =>
        await run.handle.executeUpdate('retry', { args: [{ storyId, text: 'look in lib/' }] });
      await expect(retry('B')).rejects.toThrow('Workflow Update failed');
      await expect
        .poll(() =>
          retry('A').then(
            () => 'taken',
            () => 'refused',
          ),
        )
        .toBe('taken');
      await untilLogged(world, 'advance m-A-2');
      gate.resolve();
      return await run.result;
    },
    'reopened',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(world.log).toContain('event story-reopened A');
});

test('a stop does not wait for a provider that is away', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => {
      throw ApplicationFailure.create({ type: 'provider-unreachable', message: 'away', nextRetryDelay: '1h' });
    },
  });
  const result = await bench.run(world, {}, async (run) => {
    await untilLogged(world, 'model A:1:1');
    await run.handle.executeUpdate('stop');
    return await run.result;
  });
  expect(result.outcome).toBe('stopped');
  expect(world.log.filter((line) => line.startsWith('model'))).toHaveLength(1);
}, 120_000);
