import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReloadResult } from '../../domain/contracts/ralph.ts';
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

const savedAt = '2026-01-01T00:00:00.000Z';

async function untilLogged(world: FakeWorld, line: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(10))
    if (world.log.includes(line)) return;
  throw new Error(`no ${line} in\n${world.log.join('\n')}`);
}

test('a run that is about to end works on a story that is added, once its new gate has a baseline', async () => {
  const gate = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }], {
    model: async ({ storyId }) => {
      if (storyId === 'A') await gate.promise;
      return answers.finished;
    },
    reload: (_, { stories }) => {
      const [first] = stories;
      if (first !== undefined)
        stories.push({ ...first, storyId: 'B', position: 1, status: 'open', tries: 0, attempts: 0 });
      return { kind: 'reloaded', gates: ['test', 'lint'], changedGates: ['lint'], stopped: [] };
    },
  });
  const result = await bench.run(
    world,
    {},
    async (run) => {
      await untilLogged(world, 'model A:1:1');
      const bad = run.handle.executeUpdate('reload', { args: [{ reloadId: 'r', prd: 'p', savedAt: 'soon' }] });
      await expect(bad).rejects.toThrow('Workflow Update failed');
      const answer = await run.handle.executeUpdate<ReloadResult, [object]>('reload', {
        args: [{ reloadId: 'r', prd: 'p', savedAt }],
      });
      expect(answer).toMatchObject({ kind: 'reloaded' });
      gate.resolve();
      return await run.result;
    },
    'reloaded',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(world.log).toContain('reload p in flight: A');
  const baselines = world.log.filter((line) => line === 'gate baseline -:-');
  expect(baselines).toHaveLength(2);
  // A was checked by the one gate that it began with; what is merged has passed both.
  expect(world.log.filter((line) => line === 'gate workspace A:1')).toHaveLength(1);
  expect(world.log.filter((line) => line === 'gate merged A:1')).toHaveLength(2);
  expect(world.log.filter((line) => line === 'gate workspace B:1')).toHaveLength(2);
});

test('the agent of a story that is taken out of the PRD stops after its step, and its work is not merged', async () => {
  const gate = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    model: async ({ storyId }) => {
      if (storyId === 'A') await gate.promise;
      return answers.finished;
    },
    reload: (_, { stories }) => {
      stories.splice(0, 1);
      return { kind: 'reloaded', gates: ['test'], changedGates: [], stopped: ['A'] };
    },
  });
  const result = await bench.run(world, {}, async (run) => {
    await untilLogged(world, 'model A:1:1');
    await run.handle.executeUpdate('reload', { args: [{ reloadId: 'r', prd: 'p', savedAt }] });
    gate.resolve();
    return await run.result;
  });
  expect(result).toEqual({ outcome: 'completed', passed: 1, total: 1 });
  expect(world.log).not.toContain('merge A:1');
  expect(world.log).not.toContain('event attempt-failed A');
});
