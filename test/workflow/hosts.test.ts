import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ToolCallInput } from '../../domain/contracts/activities.ts';
import { FakeWorld, answers } from '../support/fake-world.ts';
import { otherHostId, startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
}, 600_000);
afterAll(async () => {
  await bench.stop();
});

const shared = { remote: '/srv/app.git' };
const home = { hostId: 'test-host', number: 1, takeOver: false };
const elsewhere = { hostId: otherHostId, number: 2, takeOver: true };
/** Nobody serves it, and its lease ends soon. */
const silent = { hostId: 'silent-host', number: 1, takeOver: false, expiresInMs: 100 };

const ofStory = (world: FakeWorld) =>
  world.log.filter((line) => /^(place A|take over|prepare|tool|recover)/.test(line));

test('a host that does not take its work keeps it while it is alive, and loses it to another that takes the workspace over', async () => {
  const answers = [silent, silent, elsewhere];
  const world = new FakeWorld([{ id: 'A' }], {
    place: ({ storyId }) => (storyId === null ? home : (answers.shift() ?? { ...elsewhere, takeOver: false })),
  });
  const result = await bench.run(world, shared, ({ result }) => result, 'host-lost');
  expect(result.outcome).toBe('completed');
  expect(ofStory(world).slice(0, 6)).toEqual([
    'place A silent-host',
    'place A silent-host',
    `place A ${otherHostId}`,
    'take over A:1',
    'prepare A:1 keep',
    'tool A:1:1:w',
  ]);
});

test('work whose lease was lost in its middle goes on at the same step elsewhere, under the new lease', async () => {
  const calls: ToolCallInput[] = [];
  let isLost = false;
  const world = new FakeWorld([{ id: 'A' }], {
    place: ({ storyId }) => (storyId === null ? home : isLost ? elsewhere : home),
    model: ({ step }) => (step === 1 ? answers.bash : answers.finished),
    tool: async (call) => {
      calls.push(call);
      if (isLost) return;
      isLost = true;
      throw ApplicationFailure.create({ type: 'lease-lost', message: 'late', nonRetryable: true });
    },
  });
  const result = await bench.run(world, shared, ({ result }) => result, 'lease-lost');
  expect(result.outcome).toBe('completed');
  expect(ofStory(world).slice(0, 6)).toEqual([
    'place A test-host',
    'prepare A:1 keep',
    'tool A:1:1:b',
    `place A ${otherHostId}`,
    'take over A:1',
    'tool A:1:1:b',
  ]);
  expect(calls).toMatchObject([
    { lease: { hostId: 'test-host', number: 1 } },
    { lease: { hostId: otherHostId, number: 2 } },
  ]);
});

test('what is done for the run as a whole moves with its host too', async () => {
  let asked = 0;
  const world = new FakeWorld([{ id: 'A' }], {
    place: ({ storyId }) => (storyId !== null ? home : ++asked === 1 ? silent : { ...elsewhere, takeOver: false }),
  });
  const result = await bench.run(world, shared, ({ result }) => result, 'lane-lost');
  expect(result).toEqual({ outcome: 'completed', passed: 1, total: 1 });
  expect(world.log.filter((line) => line.startsWith('place run'))).toEqual([
    'place run silent-host',
    `place run ${otherHostId}`,
  ]);
});

test('a run that is not shared asks for no host', async () => {
  const world = new FakeWorld([{ id: 'A' }]);
  await bench.run(world, {}, ({ result }) => result);
  expect(world.log.filter((line) => line.startsWith('place'))).toEqual([]);
});
