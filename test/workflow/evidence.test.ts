import { ApplicationFailure } from '@temporalio/common';
import { setTimeout as delay } from 'node:timers/promises';
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

const failures = (world: FakeWorld) =>
  world.records.flatMap(({ events }) =>
    events.flatMap((event) =>
      event.kind === 'attempt-failed' ? [[event.storyId, event.body.reason, event.body.message]] : [],
    ),
  );

test('a tampered change fails the attempt before its gates run, in the workspace and on the merged tree', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    inspect: ({ storyId, attempt, where }) =>
      attempt === 1 && (storyId === 'A' ? where === 'workspace' : where === 'merged') ? `x.json: ${where}` : undefined,
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'tampered');
  expect(result.outcome).toBe('completed');
  expect(failures(world).toSorted((one, other) => (String(one) < String(other) ? -1 : 1))).toEqual([
    ['A', 'tampered', 'x.json: workspace'],
    ['B', 'tampered', 'x.json: merged'],
  ]);
  expect(world.log).not.toContain('gate workspace A:1');
  expect(world.log).not.toContain('gate merged B:1');
});

test('gates that are flaky or red as before stop nobody', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    gate: ({ storyId }) => (storyId === undefined ? false : storyId === 'A' ? 'flaky' : 'red-as-before'),
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'not-green');
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(failures(world)).toEqual([]);
});

test('a story that may change nothing passes without a commit, another one fails', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    commit: ({ storyId }) => ({ kind: 'nothing-changed', isAllowed: storyId === 'A', base: 'base' }),
  });
  const result = await bench.run(world, { maxAttempts: 1 }, ({ result }) => result, 'nothing-changed');
  expect(result).toEqual({ outcome: 'quality-failed', passed: 1, total: 2 });
  expect(world.log.filter((line) => /^(?:merge|advance)/.test(line))).toEqual([]);
  const passed = world.records.find(({ events }) => events.some((event) => event.kind === 'story-passed'));
  expect(passed).toMatchObject({
    events: [{ kind: 'story-passed', body: { commit: 'base', filesChanged: 0 } }],
    story: { storyId: 'A', status: 'passed' },
  });
  expect(passed).not.toHaveProperty('run');
  expect(failures(world)).toMatchObject([['B', 'nothing-changed', expect.any(String)]]);
});

test("a story's gates wait for the baseline of the gates", async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }], {
    gate: async ({ where }) => {
      if (where === 'baseline') await delay(1_500);
      return true;
    },
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'slow-baseline');
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('gate'))).toEqual([
    'gate baseline -:-',
    'gate workspace A:1',
    'gate merged A:1',
    'gate workspace B:1',
    'gate merged B:1',
  ]);
});

test('a story that waits for the baseline can be stopped', async () => {
  const ready = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }], {
    gate: async ({ where }) => {
      if (where === 'baseline') await ready.promise;
      return true;
    },
  });
  const result = await bench.run(world, {}, async ({ handle, result }) => {
    while (!world.log.includes('model A:1:2')) await delay(20);
    await delay(300);
    await handle.executeUpdate('stop');
    ready.resolve();
    return await result;
  });
  expect(result.outcome).toBe('stopped');
  expect(world.log.filter((line) => line.startsWith('gate'))).toEqual(['gate baseline -:-']);
});

test('a call that found the disk quota used up is not made again, and ends the attempt by name', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: ({ step }) => (step === 1 ? answers.bash : answers.finished),
    tool: async ({ attempt }) => {
      if (attempt === 1) throw ApplicationFailure.nonRetryable('too much', 'disk-quota');
    },
  });
  const result = await bench.run(world, {}, (run) => run.result, 'disk-quota');
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('tool A:1') || line.startsWith('recover'))).toEqual([
    'tool A:1:1:b',
  ]);
  const failed = world.records.flatMap(({ events }) => events).find(({ kind }) => kind === 'attempt-failed');
  expect(failed?.body).toMatchObject({ reason: 'disk-quota', message: 'too much' });
});
