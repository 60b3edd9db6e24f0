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

const bodies = (world: FakeWorld, kind: string, storyId: string) =>
  world.records
    .flatMap((record) => record.events)
    .filter((event) => event.kind === kind && event.storyId === storyId)
    .map((event) => event.body);

test('a story that goes round in circles gets one attempt with the diagnosis, then it has failed and the rest goes on', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B', dependsOn: ['A'] }, { id: 'C' }], {
    gate: ({ storyId }) => storyId !== 'A',
    tree: () => 'the same',
  });
  const result = await bench.run(world, { maxAttempts: 9 }, ({ result }) => result);
  expect(result).toEqual({ outcome: 'quality-failed', passed: 1, total: 3 });
  expect(world.stories.map(({ status, attempts }) => [status, attempts])).toEqual([
    ['failed', 3],
    ['blocked', 0],
    ['passed', 1],
  ]);
  const diagnosis = expect.stringMatching(/^Attempts 1 and 2 left exactly the same files.*Changed files: a\.txt\.$/);
  const failed = bodies(world, 'attempt-failed', 'A');
  expect(failed).toMatchObject([{ triesLeft: 8 }, { triesLeft: 7, diagnosis }, { triesLeft: 0 }]);
  expect(failed[0]).not.toHaveProperty('diagnosis');
  const feedback = world.records.flatMap((record) => (record.story?.feedback ? [record.story.feedback] : []));
  expect(feedback[0]).not.toHaveProperty('diagnosis');
  expect(feedback[1]).toMatchObject({ reason: 'gate-failed', diagnosis });
  expect(bodies(world, 'story-failed', 'A')).toMatchObject([
    { message: expect.stringMatching(/^goes round in circles: Attempts 2 and 3 /) },
  ]);
});

test('an attempt whose calls repeat themselves is ended as looping; told but not at the end of it, it goes on', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: ({ attempt, step }) => (attempt === 2 && step > 4 ? answers.finished : answers.reads),
    repeats: ({ step }) => step,
  });
  const result = await bench.run(world, { maxSteps: 20 }, ({ result }) => result);
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('model A:1:'))).toHaveLength(5);
  expect(bodies(world, 'attempt-failed', 'A')).toMatchObject([
    { reason: 'looping', message: 'the same 5 times with the same result: read r1 · read r2 · read r3' },
  ]);
});

test('an attempt whose answers are of no use is ended as model-failed at the fourth in a row; a useful one between begins anew', async () => {
  const useless = (inARow: number) => ({ ...answers.finished, problem: { kind: 'empty', inARow } }) as const;
  const world = new FakeWorld([{ id: 'A' }], {
    model: ({ attempt, step }) => {
      if (attempt === 1) return useless(step);
      return step === 4 ? answers.write : step < 7 ? useless(step % 4) : answers.finished;
    },
  });
  const result = await bench.run(world, { maxSteps: 20 }, ({ result }) => result);
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('model A:1:'))).toHaveLength(4);
  expect(world.log.filter((line) => line.startsWith('model A:2:'))).toHaveLength(7);
  expect(bodies(world, 'attempt-failed', 'A')).toMatchObject([
    { reason: 'model-failed', message: '4 answers in a row were of no use; the last one was empty' },
  ]);
});

test('other caps are taken while the run goes on, recorded, and carried on', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => new Promise((resolve) => setTimeout(() => resolve(answers.finished), 4_000)),
  });
  const result = await bench.run(world, { maxTimeMs: 3_000, maxCostUsd: 1 }, async ({ handle, result }) => {
    const change = { maxCostUsd: 5, maxTimeMs: 60_000 };
    expect(await handle.executeUpdate('set-caps', { args: [change] })).toBe('running');
    for (const bad of [{}, { maxCostUsd: 0 }, { maxTokens: -1 }])
      await expect(handle.executeUpdate('set-caps', { args: [bad] })).rejects.toThrow();
    return await result;
  });
  // Under the old time cap it would have ended in the middle of its first step.
  expect(result.outcome).toBe('completed');
  const [record] = world.records.filter(({ events }) => events[0]?.kind === 'caps-changed');
  expect(record).toMatchObject({
    events: [{ body: { maxCostUsd: 5, maxTokens: null, maxTotalSteps: null, maxTimeMs: 60_000 } }],
    run: { caps: { maxCostUsd: 5, maxTimeMs: 60_000 } },
  });
});

test('a time cap that is given later ends the run', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => new Promise((resolve) => setTimeout(() => resolve(answers.finished), 4_000)),
  });
  const result = await bench.run(world, {}, async ({ handle, result }) => {
    await handle.executeUpdate('set-caps', { args: [{ maxTimeMs: 300 }] });
    return await result;
  });
  expect(result.outcome).toBe('budget-exceeded');
});
