import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelStepResult, ToolCallRef } from '../../domain/contracts/activities.ts';
import { answerUpdate } from '../../domain/run/approval.ts';
import type { Approval } from '../../domain/run/approval.ts';
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

const calls = {
  question: { id: 'q', name: 'question', risk: 'read', label: 'question which?', asks: 'question' },
  enter: { id: 'pe', name: 'plan_enter', risk: 'read', label: 'plan_enter a library' },
  exit: { id: 'px', name: 'plan_exit', risk: 'read', label: 'plan_exit all of it', asks: 'plan' },
  read: { id: 'r', name: 'read', risk: 'read', label: 'read a.txt' },
  write: { id: 'w', name: 'write', risk: 'write', label: 'write a.txt' },
  push: {
    id: 'p',
    name: 'bash',
    risk: 'shell',
    label: 'bash git push',
    ask: { why: 'it pushes to a remote', isSafe: false },
  },
  build: { id: 'g', name: 'agent', risk: 'shell', label: 'agent x', spawns: { readsOnly: false, maxSteps: 5 } },
  explore: { id: 'e', name: 'agent', risk: 'read', label: 'agent y', spawns: { readsOnly: true, maxSteps: 5 } },
} as const satisfies Record<string, ToolCallRef>;

function asking(toolCalls: readonly ToolCallRef[], isPlanning = false): ModelStepResult {
  return {
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls,
    usage: answers.finished.usage,
    ...(isPlanning ? { isPlanning } : {}),
  };
}

async function asked(world: FakeWorld): Promise<Approval> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(20)) {
    const [first] = world.approvals.values();
    if (first !== undefined) return first;
  }
  throw new Error(`nothing was asked in\n${world.log.join('\n')}`);
}

function give(approval: Approval, choice: string, note = '') {
  const args: [object] = [{ approvalId: approval.approvalId, choice, answeredBy: 'ada', note }];
  return bench.engine.client.workflow.getHandle(approval.workflowId).executeUpdate(answerUpdate, { args });
}

const ended = async (world: FakeWorld, turns = 1): Promise<void> => {
  while (world.turnEnds.length < turns) await delay(20);
};
const linesOf = (world: FakeWorld) =>
  world.log.filter((line) => /^(open|ask|answered|expired|told|tool|deny|agent) /.test(line));
const askingWorld = () =>
  new FakeWorld([{ id: 'A' }], {
    model: ({ step }) => (step === 1 ? asking([calls.read, calls.question]) : answers.finished),
  });

test('a question of a story waits for a person, without a model call meanwhile, and is answered once', async () => {
  const world = askingWorld();
  const result = await bench.run(
    world,
    { onAsk: 'wait' },
    async (run) => {
      const question = await asked(world);
      expect(question).toMatchObject({
        storyId: 'A',
        kind: 'question',
        question: 'which?',
        choices: [],
        defaultChoice: 'this one',
      });
      await expect(give(question, ' ')).rejects.toThrow();
      await expect(give(question, 'x'.repeat(1_001))).rejects.toThrow();
      await delay(300);
      expect(world.log.filter((line) => line.startsWith('model'))).toHaveLength(1);
      await give(question, 'the other one', 'it is faster');
      await expect(give(question, 'or not')).rejects.toThrow();
      return await run.result;
    },
    'question',
  );
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('told'))).toEqual([
    'told A:q answered the other one ada it is faster',
  ]);
});

test.each(['deny', 'approve-safe'] as const)(
  'under %s nobody is waited for, and the agent is told so with its own default',
  async (onAsk) => {
    const world = askingWorld();
    const result = await bench.run(world, { onAsk }, (run) => run.result);
    expect(result.outcome).toBe('completed');
    expect(world.log).toContain('told A:q answered this one on-ask');
  },
);

test('a question that nobody answers in time goes on without an answer', async () => {
  const world = new FakeWorld([], {
    model: ({ step }) => (step === 1 ? asking([calls.question]) : answers.finished),
  });
  await bench.session(world, async ({ send }) => {
    await send({ messageId: 'a', onAsk: 'wait', askTimeoutMs: 700 });
    await ended(world);
  });
  expect(world.log).toContain('told main:q expired this one timeout');
  expect(world.turnEnds[0]?.outcome).toBe('completed');
});

test('an interruption ends a turn that waits for an answer; a later answer is refused', async () => {
  const world = new FakeWorld([], {
    model: ({ attempt }) => (attempt === 1 ? asking([calls.question]) : answers.finished),
  });
  await bench.session(world, async ({ send, handle }) => {
    await send({ messageId: 'a', onAsk: 'wait', askTimeoutMs: 60_000 });
    const question = await asked(world);
    await handle().executeUpdate('interrupt');
    await ended(world);
    await expect(give(question, 'too late')).rejects.toThrow();
    await send({ messageId: 'b' });
    await ended(world, 2);
  });
  expect(world.turnEnds.map(({ outcome }) => outcome)).toEqual(['cancelled', 'completed']);
  expect(world.log.some((line) => line.startsWith('told'))).toBe(false);
});

test('in plan mode nothing is changed by any call, and no person is asked about one; an approved plan is carried out', async () => {
  const steps: readonly ModelStepResult[] = [
    // From the next call on, in the same step.
    asking([calls.read, calls.enter, calls.write]),
    asking([calls.push, calls.build, calls.explore, calls.exit, calls.write], true),
    asking([calls.exit, calls.write, calls.push], true),
  ];
  const world = new FakeWorld([], {
    model: ({ sessionId, step }) =>
      sessionId.includes(':agent:') ? answers.finished : (steps[step - 1] ?? answers.finished),
  });
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'a', onAsk: 'wait', askTimeoutMs: 60_000 });
      const first = await asked(world);
      expect(first).toMatchObject({ kind: 'plan', choices: ['approve', 'deny'], defaultChoice: 'deny' });
      await give(first, 'deny', 'smaller');
      const isNext = () => [...world.approvals.keys()].some((id) => id !== first.approvalId);
      await expect.poll(isNext, { timeout: 20_000 }).toBe(true);
      await give(await asked(world), 'approve');
      await expect.poll(() => [...world.approvals.values()].at(0)?.kind, { timeout: 20_000 }).toBe('tool-risk');
      await give(await asked(world), 'approve');
      await ended(world);
    },
    'plan',
  );
  expect(world.turnEnds[0]?.outcome).toBe('completed');
  // These run side by side.
  expect(linesOf(world).slice(0, 2).toSorted()).toEqual(['tool main:1:1:pe', 'tool main:1:1:r']);
  expect(linesOf(world).slice(2)).toEqual([
    'tool main:1:1:w in plan mode',
    'tool main:1:2:p in plan mode',
    expect.stringMatching(/^deny main:g nothing is changed in plan mode/),
    'agent :agent:e reads',
    'agent :agent:e finished',
    'open main:px plan',
    'ask main plan',
    'answered main deny ada',
    'told main:px answered deny ada smaller',
    'tool main:1:2:w in plan mode',
    'open main:px plan',
    'ask main plan',
    'answered main approve ada',
    'told main:px answered approve ada',
    'tool main:1:3:w',
    'ask main tool-risk',
    'answered main approve ada',
    'tool main:1:3:p',
  ]);
});

test('off a terminal a plan is denied at once, and under approve-safe approved', async () => {
  const outcomes: string[] = [];
  for (const onAsk of ['deny', 'approve-safe'] as const) {
    const world = new FakeWorld([], {
      model: ({ step }) => (step === 1 ? asking([calls.exit, calls.write], true) : answers.finished),
    });
    await bench.session(world, async ({ send }) => {
      await send({ messageId: 'a', onAsk });
      await ended(world);
    });
    outcomes.push(...linesOf(world).filter((line) => /^(told|tool)/.test(line)));
  }
  expect(outcomes).toEqual([
    'told main:px answered deny on-ask',
    'tool main:1:1:w in plan mode',
    'told main:px answered approve on-ask',
    'tool main:1:1:w',
  ]);
});
