import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentSessionState } from '../../domain/contracts/session.ts';
import { FakeWorld, answers } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
});
afterAll(async () => {
  await bench.stop();
});

const ended = async (world: FakeWorld, turns: number): Promise<void> => {
  while (world.turnEnds.length < turns) await delay(20);
};
const outcomes = (world: FakeWorld) => world.turnEnds.map(({ messageId, outcome }) => `${messageId} ${outcome}`);

test('messages are worked on in the order of their coming, each once, in turns of their own', async () => {
  const release = Promise.withResolvers<void>();
  const world = new FakeWorld([], {
    model: async ({ attempt }) => {
      if (attempt === 1) await release.promise;
      return answers.finished;
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      expect(await send({ messageId: 'a' })).toBe(0);
      const places = [await send({ messageId: 'b' }), await send({ messageId: 'c' }), await send({ messageId: 'b' })];
      expect(places).toEqual([1, 2, 1]);
      release.resolve();
      await ended(world, 3);
    },
    'queue',
  );
  expect(outcomes(world)).toEqual(['a completed', 'b completed', 'c completed']);
  expect(world.turnEnds.map(({ goesOn }) => goesOn)).toEqual([true, true, false]);
});

test('a session that has ended for want of something to do goes on with the next message; an answered one is not worked on again', async () => {
  const world = new FakeWorld([], { model: () => answers.finished });
  await bench.session(world, async ({ send, handle }) => {
    await send({ messageId: 'a' });
    await handle().result();
    await send({ messageId: 'a' });
    await send({ messageId: 'b' });
    await ended(world, 2);
  });
  expect(outcomes(world)).toEqual(['a completed', 'b completed']);
  // Steps go on counting: no key is used twice.
  expect(world.log.filter((line) => line.startsWith('model'))).toEqual(['model main:1:1', 'model main:2:2']);
});

test('an interruption ends the turn with what it is doing, and the next message is worked on', async () => {
  const begun = Promise.withResolvers<void>();
  const world = new FakeWorld([], {
    model: ({ attempt }) => (attempt === 1 ? answers.bash : answers.finished),
    tool: async () => {
      begun.resolve();
      await cancelled();
    },
  });
  await bench.session(
    world,
    async ({ send, handle }) => {
      await send({ messageId: 'a' });
      await begun.promise;
      await handle().executeUpdate('interrupt');
      await ended(world, 1);
      await send({ messageId: 'b' });
      await ended(world, 2);
      while ((await handle().query<AgentSessionState>('state')).turn !== undefined) await delay(20);
      await expect(handle().executeUpdate('interrupt')).rejects.toThrow();
    },
    'interrupted',
  );
  expect(outcomes(world)).toEqual(['a cancelled', 'b completed']);
});

test('an agent at work is told what is said to it before its next step', async () => {
  const release = Promise.withResolvers<void>();
  const world = new FakeWorld([], {
    model: async ({ step }) => {
      if (step === 1) await release.promise;
      return step === 1 ? answers.write : answers.finished;
    },
  });
  await bench.session(
    world,
    async ({ send, handle }) => {
      await send({ messageId: 'a' });
      while (!world.log.includes('model main:1:1')) await delay(20);
      await handle().executeUpdate('steer', { args: [{ nudgeId: 'n', text: 'mind the tests' }] });
      release.resolve();
      await ended(world, 1);
    },
    'steered',
  );
  expect(world.log.indexOf('nudge main mind the tests')).toBeLessThan(world.log.indexOf('model main:1:2'));
  expect(world.log).toContain('nudge main mind the tests');
});

test('a turn whose answers are of no use ends at the fourth in a row, typed', async () => {
  const world = new FakeWorld([], {
    model: ({ step }) => ({ ...answers.write, problem: { kind: 'malformed', inARow: step } }),
  });
  await bench.session(world, async ({ send }) => {
    await send({ messageId: 'a' });
    await ended(world, 1);
  });
  expect(world.turnEnds).toMatchObject([
    {
      outcome: 'error',
      code: 'answers-unusable',
      message: '4 answers in a row were of no use; the last one had no tool call that could be read',
    },
  ]);
  // The model was told of each by its results.
  expect(world.log.filter((line) => line.startsWith('tool'))).toHaveLength(4);
});

test('an answer that does not follow its schema is asked for once more, then the turn has failed', async () => {
  const told: boolean[] = [];
  const world = new FakeWorld([], {
    model: () => answers.finished,
    answerProblem: (tell) => {
      told.push(tell);
      return world.turnEnds.length === 0 ? 'a: expected string' : undefined;
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', outputSchema: 'blob' });
      await ended(world, 1);
      await send({ messageId: 'b', outputSchema: 'blob' });
      await ended(world, 2);
    },
    'schema',
  );
  expect(told).toEqual([true, false, true]);
  expect(world.turnEnds[0]).toMatchObject({ outcome: 'error', code: 'output-schema-mismatch' });
  expect(outcomes(world)[1]).toBe('b completed');
});

test('a message that nobody can work on ends with its reason, and the session goes on', async () => {
  const problem = { code: 'workspace-failed', message: 'the folder is gone' };
  const world = new FakeWorld([], {
    model: () => answers.finished,
    turnProblem: (messageId) => (messageId === 'a' ? problem : undefined),
  });
  await bench.session(world, async ({ send }) => {
    await send({ messageId: 'a' });
    await send({ messageId: 'b' });
    await ended(world, 2);
  });
  expect(world.turnEnds[0]).toMatchObject({ outcome: 'error', ...problem });
  expect(outcomes(world)).toEqual(['a error', 'b completed']);
});

test('a turn that takes too many steps or too long ends, typed', async () => {
  const world = new FakeWorld([], {
    model: async ({ attempt }) => {
      if (attempt === 2) await cancelled();
      return answers.write;
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', maxSteps: 2 });
      await ended(world, 1);
      await send({ messageId: 'b', maxTimeMs: 300 });
      await ended(world, 2);
    },
    'limits',
  );
  expect(outcomes(world)).toEqual(['a max-iterations', 'b budget-exceeded']);
  expect(world.log.filter((line) => line.startsWith('model main:1'))).toHaveLength(2);
});

test('a turn may do what its message says, whatever its agent is called', async () => {
  const asked: object[] = [];
  const world = new FakeWorld([], {
    model: ({ readsOnly, tools }) => {
      asked.push({ readsOnly, tools });
      return answers.finished;
    },
  });
  await bench.session(world, async ({ send }) => {
    await send({ messageId: 'a', agent: 'plan', readsOnly: true });
    await send({ messageId: 'b', agent: 'plan' });
    await send({ messageId: 'c', agent: 'reviewer', tools: ['read', 'bash'] });
    await ended(world, 3);
  });
  expect(asked).toEqual([
    { readsOnly: true, tools: undefined },
    { readsOnly: undefined, tools: undefined },
    { readsOnly: undefined, tools: ['read', 'bash'] },
  ]);
});

const allHooks = { settings: 'blob', points: ['session-start', 'before-tool:bash', 'after-tool', 'turn-end'] };
const hooksIn = (world: FakeWorld) => world.log.filter((line) => /^(hook|tool|deny|model)/.test(line));

test('hooks run around what they hang on, and one that says no keeps a call from being made', async () => {
  const world = new FakeWorld([], {
    model: ({ step }) => [answers.bash, answers.write, answers.finished][step - 1] ?? answers.finished,
    hook: (event) => (event === 'before-tool' ? 'not on a Friday' : undefined),
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', hooks: allHooks });
      await ended(world, 1);
      await send({ messageId: 'b', hooks: { settings: 'blob', points: ['before-tool:read'] } });
      await ended(world, 2);
    },
    'hooks',
  );
  expect(hooksIn(world)).toEqual([
    'hook session-start 1',
    'model main:1:1',
    'hook before-tool 1 b',
    'deny main:b not on a Friday',
    'model main:1:2',
    'tool main:1:2:w',
    'hook after-tool 2 w',
    'model main:1:3',
    'hook turn-end 4',
    'model main:2:4',
  ]);
});

test('hooks at the end of a turn get one more round, three times at most', async () => {
  const last: boolean[] = [];
  const world = new FakeWorld([], {
    model: () => answers.finished,
    hook: (event, { isLastRound }) => {
      if (event !== 'turn-end') return undefined;
      last.push(isLastRound);
      return world.turnEnds.length === 0 && last.length < 3 ? undefined : 'tests are red';
    },
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', hooks: allHooks });
      await ended(world, 1);
      await send({ messageId: 'b', hooks: allHooks });
      await ended(world, 2);
    },
    'rounds',
  );
  expect(last).toEqual([false, false, false, false, true]);
  expect(world.turnEnds).toMatchObject([
    { outcome: 'completed' },
    { outcome: 'quality-failed', message: 'after 3 more rounds still: tests are red' },
  ]);
});

/** Rejects when the activity that calls it is cancelled. */
test('an interruption of one message takes it out where it waits, ends its turn where it has one, and is refused otherwise', async () => {
  const begun = Promise.withResolvers<void>();
  const world: FakeWorld = new FakeWorld([], {
    model: ({ attempt }) => (attempt === 1 ? answers.bash : answers.finished),
    tool: async () => {
      begun.resolve();
      await cancelled();
    },
  });
  await bench.session(
    world,
    async ({ send, handle }) => {
      const interrupt = async (messageId: string) =>
        await handle().executeUpdate('interrupt', { args: [{ messageId }] });
      await send({ messageId: 'a' });
      await begun.promise;
      await send({ messageId: 'b' });
      await send({ messageId: 'c' });
      await interrupt('b');
      await expect(interrupt('b')).rejects.toThrow();
      await interrupt('a');
      await ended(world, 2);
    },
    'message-interrupted',
  );
  expect(outcomes(world)).toEqual(['a cancelled', 'c completed']);
});

test('a message is interrupted whose turn is just being opened', async () => {
  const opening = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  const world: FakeWorld = new FakeWorld([], {
    model: cancelled,
    turnOpens: async () => {
      opening.resolve();
      await open.promise;
    },
  });
  await bench.session(
    world,
    async ({ send, handle }) => {
      await send({ messageId: 'a' });
      await opening.promise;
      const interrupted = handle().executeUpdate('interrupt', { args: [{ messageId: 'a' }] });
      await delay(100);
      open.resolve();
      await interrupted;
      await ended(world, 1);
    },
    'opening-interrupted',
  );
  expect(outcomes(world)).toEqual(['a cancelled']);
});

async function cancelled(): Promise<never> {
  const { Context } = await import('@temporalio/activity');
  const { cancelled: cancellation } = Context.current();
  const beat = setInterval(() => Context.current().heartbeat(), 200);
  try {
    return await cancellation;
  } finally {
    clearInterval(beat);
  }
}
