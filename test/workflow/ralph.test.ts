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

const indexOf = (world: FakeWorld, line: string) => {
  const index = world.log.indexOf(line);
  expect(index, `${line} in\n${world.log.join('\n')}`).toBeGreaterThanOrEqual(0);
  return index;
};

test('stories run in the order of their prerequisites and each is merged once', async () => {
  const world = new FakeWorld([
    { id: 'A' },
    { id: 'B', dependsOn: ['A'] },
    { id: 'C', dependsOn: ['A'] },
    { id: 'D', dependsOn: ['B', 'C'] },
  ]);
  const result = await bench.run(world, {}, ({ result }) => result, 'diamond');
  expect(result).toEqual({ outcome: 'completed', passed: 4, total: 4 });
  expect(indexOf(world, 'advance m-A-1')).toBeLessThan(indexOf(world, 'prepare B:1 keep'));
  expect(indexOf(world, 'advance m-B-1')).toBeLessThan(indexOf(world, 'prepare D:1 keep'));
  expect(indexOf(world, 'advance m-C-1')).toBeLessThan(indexOf(world, 'prepare D:1 keep'));
  expect(world.log.filter((line) => line.startsWith('advance'))).toHaveLength(4);
  expect(world.finished).toMatchObject({ outcome: 'completed', commits: 4 });
});

test('a story whose gate is red gets another attempt in its worktree, and its dependents wait for it', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }], {
    gate: ({ storyId, attempt, where }) => !(storyId === 'A' && attempt === 1 && where === 'workspace'),
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'retry');
  expect(result.outcome).toBe('completed');
  expect(world.starts.map((start) => start.kind)).toEqual(['keep', 'keep', 'keep']);
  expect(indexOf(world, 'event attempt-failed A')).toBeLessThan(indexOf(world, 'prepare A:2 keep'));
});

test('a story that fails every attempt blocks its dependents and no others', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }, { id: 'C' }], {
    gate: ({ storyId, where }) => !(storyId === 'A' && where === 'workspace'),
  });
  const result = await bench.run(world, { maxAttempts: 2 }, ({ result }) => result, 'failed');
  expect(result).toEqual({ outcome: 'quality-failed', passed: 1, total: 3 });
  expect(world.stories.map((story) => story.status)).toEqual(['failed', 'blocked', 'passed']);
  expect(world.log.filter((line) => line.startsWith('prepare A'))).toHaveLength(2);
});

test('attempts are counted against max-iterations, and the rest stays open', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }, { id: 'C' }]);
  const result = await bench.run(world, { maxIterations: 2, maxConcurrent: 1 }, ({ result }) => result);
  expect(result).toEqual({ outcome: 'max-iterations', passed: 2, total: 3 });
});

test('a story that conflicts gets an attempt that resolves it, one whose merged tree is red goes on from the merged tree', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    merge: ({ storyId, attempt }) =>
      storyId === 'A' && attempt === 1 ? { kind: 'conflict', files: ['a.txt'] } : undefined,
    gate: ({ storyId, attempt, where }) => !(storyId === 'B' && attempt === 1 && where === 'merged'),
  });
  const result = await bench.run(world, { maxConcurrent: 1 }, ({ result }) => result);
  expect(result.outcome).toBe('completed');
  indexOf(world, 'prepare A:2 conflict');
  indexOf(world, 'prepare B:2 merged');
  expect(world.starts).toContainEqual({ kind: 'merged', commit: 'c-B-1' });
});

test('calls that only read run side by side, a call that writes runs alone', async () => {
  let together = 0;
  let most = 0;
  const all = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }], {
    model: ({ step }) => (step === 1 ? answers.reads : answers.finished),
    tool: async () => {
      most = Math.max(most, ++together);
      if (together === 3) all.resolve();
      await Promise.race([all.promise, delay(5_000)]);
      together--;
    },
  });
  await bench.run(world, {}, ({ result }) => result);
  expect(most).toBe(3);
});

test('a lost write is recovered and run again, a lost shell command is reported and not run again', async () => {
  let lostWrite = false;
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    model: ({ storyId, step }) => (step > 1 ? answers.finished : storyId === 'A' ? answers.write : answers.bash),
    tool: async ({ storyId }) => {
      if (storyId === 'B' || !lostWrite) {
        lostWrite ||= storyId === 'A';
        throw ApplicationFailure.create({ type: 'worker-lost', message: 'lost' });
      }
    },
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'lost-tools');
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line === 'tool A:1:1:w')).toHaveLength(2);
  expect(world.log.filter((line) => line === 'tool B:1:1:b')).toHaveLength(1);
  indexOf(world, 'recover B:b');
});

test('an agent that never finishes is ended at max-steps', async () => {
  const world = new FakeWorld([{ id: 'A' }], { model: () => answers.write });
  const result = await bench.run(world, { maxSteps: 3, maxAttempts: 1 }, ({ result }) => result);
  expect(result.outcome).toBe('quality-failed');
  expect(world.log.filter((line) => line.startsWith('model A:1'))).toHaveLength(3);
});

test('a budget that is used up ends the run as budget-exceeded', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    model: ({ storyId }) =>
      (storyId === 'B' ? { kind: 'budget-exceeded', budget: 'max-cost' } : undefined) ?? answers.finished,
  });
  const result = await bench.run(world, { maxConcurrent: 1 }, ({ result }) => result);
  expect(result).toEqual({ outcome: 'budget-exceeded', passed: 1, total: 2 });
});

test('the time cap ends a run in the middle of a step', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => new Promise((resolve) => setTimeout(() => resolve(answers.finished), 4_000)),
  });
  const result = await bench.run(world, { maxTimeMs: 500 }, ({ result }) => result);
  expect(result.outcome).toBe('budget-exceeded');
});

test('a model that cannot be used ends the run as error and says why', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => {
      throw ApplicationFailure.nonRetryable('no key for anthropic', 'provider-key-missing');
    },
  });
  const result = await bench.run(world, {}, ({ result }) => result);
  expect(result.outcome).toBe('error');
  expect(world.finished?.message).toBe('no key for anthropic [provider-key-missing]');
});

test('a paused run starts nothing until it is resumed', async () => {
  const paused = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }], {
    model: async () => {
      await paused.promise;
      return answers.finished;
    },
  });
  const result = await bench.run(
    world,
    {},
    async ({ handle, result }) => {
      expect(await handle.executeUpdate('pause')).toBe('paused');
      paused.resolve();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(world.log).not.toContain('prepare B:1 keep');
      expect(await handle.executeUpdate('resume')).toBe('running');
      return await result;
    },
    'paused',
  );
  expect(result.outcome).toBe('completed');
});

test('stop lets the step finish and keeps what is there, cancel ends at once', async () => {
  const slow = () => new Promise<typeof answers.write>((resolve) => setTimeout(() => resolve(answers.write), 300));
  const stopped = new FakeWorld([{ id: 'A' }], { model: slow });
  const stoppedResult = await bench.run(
    stopped,
    {},
    async ({ handle, result }) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await handle.executeUpdate('stop')).toBe('stopping');
      return await result;
    },
    'stopped',
  );
  expect(stoppedResult.outcome).toBe('stopped');
  expect(stopped.log).not.toContain('remove A');

  const cancelled = new FakeWorld([{ id: 'A' }], { model: slow });
  const cancelledResult = await bench.run(
    cancelled,
    {},
    async ({ handle, result }) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await handle.cancel();
      return await result;
    },
    'cancelled',
  );
  expect(cancelledResult.outcome).toBe('cancelled');
  expect(cancelled.finished).toMatchObject({ outcome: 'cancelled' });
});

test('a call that is lost on its way, however often, costs no attempt; one that takes its worker along ends it', async () => {
  for (const isBegun of [false, true]) {
    let losses = 0;
    const world = new FakeWorld([{ id: 'A' }], {
      isBegun,
      tool: async ({ attempt }) => {
        losses++;
        if (attempt === 1 && (isBegun || losses <= 25))
          throw ApplicationFailure.create({ type: 'worker-lost', message: 'lost' });
      },
    });
    const result = await bench.run(world, {}, (run) => run.result);
    expect(result.outcome).toBe('completed');
    expect(world.log.filter((line) => line === 'event attempt-failed A')).toHaveLength(isBegun ? 1 : 0);
    expect(world.log.filter((line) => line.startsWith('recover A'))).toHaveLength(isBegun ? 10 : 25);
  }
});

test('a call that fails before it begins for another reason than a loss ends the attempt', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    isBegun: false,
    tool: async ({ attempt }) => {
      if (attempt === 1) throw ApplicationFailure.nonRetryable('no worktree', 'workspace-failed');
    },
  });
  const result = await bench.run(world, {}, (run) => run.result);
  expect(result.outcome).toBe('completed');
  expect(world.log).toContain('event attempt-failed A');
});
