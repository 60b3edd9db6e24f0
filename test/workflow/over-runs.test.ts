import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeWorld } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
}, 600_000);
afterAll(async () => {
  await bench.stop();
});

const rollback = (ids: { readonly runId: string; readonly hostId: string }) => ({
  ...ids,
  gates: ['test'],
  rollbackId: 'r1',
  storyIds: ['A'],
});

test('a story of a run that is over is taken off the branch after the gates', async () => {
  const world = new FakeWorld([{ id: 'A' }]);
  await bench.execute(world, 'ralphRollback', rollback, 'rolled-back');
  expect(world.log.indexOf('gate merged -:-')).toBeGreaterThanOrEqual(0);
  expect(world.log.indexOf('advance r-A')).toBeGreaterThan(world.log.indexOf('gate merged -:-'));
});

test('a rollback whose gate is red leaves the branch where it is and says so', async () => {
  const world = new FakeWorld([{ id: 'A' }], { gate: () => false });
  await bench.execute(world, 'ralphRollback', rollback, 'red');
  expect(world.log).not.toContain('advance r-A');
  expect(world.log).toContain('event rollback-failed');
});

test('a clean-up answers what its host has found', async () => {
  const found = await bench.execute(
    new FakeWorld([]),
    'cleanUp',
    ({ hostId }) => ({ hostId, apply: false }),
    'preview',
  );
  expect(found).toEqual({ entries: [], more: 0 });
});
