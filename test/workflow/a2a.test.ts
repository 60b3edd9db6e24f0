import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeWorld } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
});
afterAll(async () => {
  await bench.stop();
});

const looks = (world: FakeWorld) => world.log.filter((line) => line.startsWith('task'));
const looked = async (world: FakeWorld, times: number): Promise<void> => {
  while (looks(world).length < times) await delay(20);
};

test('a task is looked at when something was heard, until it is over; one that is to be canceled is told so from then on', async () => {
  const world: FakeWorld = new FakeWorld([], {
    task: () => (looks(world).length === 3 ? { isOver: true } : { isOver: false, waitMs: 60_000 }),
  });
  await bench.task(
    world,
    async (tell) => {
      await tell('look');
      await looked(world, 1);
      await tell('cancel');
      await looked(world, 2);
      await tell('look');
    },
    'canceled',
  );
  expect(looks(world)).toEqual(['task', 'task canceling', 'task canceling']);
});

test('a task is looked at again though nobody could tell, and one that can never be worked on ends with the reason', async () => {
  const world: FakeWorld = new FakeWorld([], {
    task: ({ problem }) => {
      if (problem !== undefined) return { isOver: true };
      if (looks(world).length < 4) return { isOver: false, waitMs: 50 };
      throw ApplicationFailure.nonRetryable('the folder is gone', 'workspace-failed');
    },
  });
  await bench.task(world, async (tell) => await tell('look'), 'failed');
  expect(looks(world).at(-1)).toBe('task the folder is gone');
});
