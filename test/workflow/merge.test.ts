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

const place = (world: FakeWorld, line: string) => {
  const index = world.log.indexOf(line);
  expect(index, `${line} in\n${world.log.join('\n')}`).toBeGreaterThanOrEqual(0);
  return index;
};

const conflicts = (storyId: string, attempts: readonly number[]) => ({
  merge: (call: { storyId: string; attempt: number }) =>
    call.storyId === storyId && attempts.includes(call.attempt)
      ? ({ kind: 'conflict', files: ['a.txt'] } as const)
      : undefined,
});

test('a story that conflicts is given both sides to resolve, and the lane goes on with others meanwhile', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }], {
    ...conflicts('A', [1]),
    model: async ({ storyId, attempt, step }) => {
      // The resolver of A takes longer than all of B.
      if (storyId === 'A' && attempt === 2 && step === 1) await untilLogged(world, 'event story-passed B');
      return step === 1 ? answers.write : answers.finished;
    },
  });
  const result = await bench.run(world, {}, ({ result }) => result, 'conflict');
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(world.starts).toContainEqual({ kind: 'conflict', commit: 'c-A-1' });
  expect(place(world, 'event story-passed B')).toBeLessThan(place(world, 'merge A:2'));
  place(world, 'gate workspace A:2');
  expect(world.log.filter((line) => line.startsWith('advance m-A'))).toEqual(['advance m-A-2']);
});

test('a resolver that does not make it is not asked again: the story is done anew on the new base', async () => {
  const red = new FakeWorld([{ id: 'A' }], {
    ...conflicts('A', [1]),
    gate: ({ attempt, where }) => !(attempt === 2 && where === 'workspace'),
  });
  expect((await bench.run(red, {}, ({ result }) => result)).outcome).toBe('completed');
  expect(red.starts.map((start) => start.kind)).toEqual(['keep', 'conflict', 'tip']);

  const again = new FakeWorld([{ id: 'A' }], conflicts('A', [1, 2]));
  expect((await bench.run(again, {}, ({ result }) => result)).outcome).toBe('completed');
  expect(again.starts.map((start) => start.kind)).toEqual(['keep', 'conflict', 'tip']);
});

test('stories that are likely to change the same file are not worked on at the same time', async () => {
  const world = new FakeWorld([
    { id: 'A', files: ['src/a.ts'] },
    { id: 'B', files: ['src/a.ts', 'src/b.ts'] },
    { id: 'C' },
  ]);
  const result = await bench.run(world, {}, ({ result }) => result);
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line === 'event story-held B')).toHaveLength(1);
  expect(place(world, 'event story-passed A')).toBeLessThan(place(world, 'prepare B:1 keep'));
  expect(place(world, 'prepare C:1 keep')).toBeLessThan(place(world, 'event story-passed A'));
});

test('a story that is rolled back while the run goes on is done anew', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }], {
    model: async ({ storyId, attempt, step }) => {
      if (storyId === 'B' && attempt === 1 && step === 1) await untilLogged(world, 'event story-rolled-back A');
      return step === 1 ? answers.write : answers.finished;
    },
  });
  const result = await bench.run(
    world,
    {},
    async ({ handle, result }) => {
      await untilLogged(world, 'prepare B:1 keep');
      await handle.executeUpdate('rollback', { args: [{ rollbackId: 'r1', storyIds: ['A'] }] });
      return await result;
    },
    'rollback',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(place(world, 'gate merged -:-')).toBeLessThan(place(world, 'advance r-A'));
  expect(place(world, 'event story-rolled-back A')).toBeLessThan(place(world, 'advance m-A-2'));
});

test('a rollback that is red without the story moves nothing, and the run goes on', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }], {
    gate: ({ storyId, where }) => !(where === 'merged' && storyId === undefined),
    model: async ({ storyId, step }) => {
      if (storyId === 'B' && step === 1) await untilLogged(world, 'event rollback-failed');
      return step === 1 ? answers.write : answers.finished;
    },
  });
  const result = await bench.run(world, {}, async ({ handle, result }) => {
    await untilLogged(world, 'prepare B:1 keep');
    await handle.executeUpdate('rollback', { args: [{ rollbackId: 'r1', storyIds: ['A'] }] });
    return await result;
  });
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  expect(world.log).not.toContain('advance r-A');
});

async function untilLogged(world: FakeWorld, line: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    if (world.log.includes(line)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${line} did not come in\n${world.log.join('\n')}`);
}
