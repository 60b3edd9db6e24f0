import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeWorld } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  // So many signals and activities that it goes on as new.
  bench = await startWorkflowTestBench({ 'limit.historyCount.suggestContinueAsNew': 60 });
});
afterAll(async () => {
  await bench.stop();
});

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await delay(20);
};

test('what happened is delivered one after the other, after a wait where that is asked, until there is nothing more', async () => {
  const waits = [0, 0, 30, 0, null];
  const at: number[] = [];
  const world: FakeWorld = new FakeWorld([], {
    push: () => {
      at.push(Date.now());
      return waits[at.length - 1] ?? null;
    },
  });
  await bench.pushes(world, async (tell) => await tell(), 'delivered');
  expect(at.length).toBe(waits.length);
  expect((at[3] ?? 0) - (at[2] ?? 0)).toBeGreaterThanOrEqual(30);
});

test('what is told while it waits is looked at, and what is told while it looks is not lost', async () => {
  const looking = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  let looks = 0;
  const world = new FakeWorld([], {
    push: async () => {
      looks++;
      if (looks === 1) return 600_000;
      if (looks > 2) return null;
      looking.resolve();
      await told.promise;
      return null;
    },
  });
  await bench.pushes(
    world,
    async (tell) => {
      await tell();
      await until(() => looks === 1);
      await tell();
      await looking.promise;
      await tell();
      told.resolve();
    },
    'told',
  );
  expect(looks).toBe(3);
});

test('a receiver that is told often does not let its history grow', async () => {
  let looks = 0;
  const world = new FakeWorld([], { push: () => (++looks < 40 ? 0 : null) });
  expect(await bench.pushes(world, async (tell) => await tell(), 'continued')).toBeLessThan(100);
  expect(looks).toBe(40);
});
