import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

async function asked(world: FakeWorld, count = 1): Promise<Approval> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(20)) {
    const [first] = world.approvals.values();
    if (first !== undefined && world.approvals.size >= count) return first;
  }
  throw new Error(`nothing was asked in\n${world.log.join('\n')}`);
}

function give(approval: Approval, choice: string, note = '') {
  const args: [object] = [{ approvalId: approval.approvalId, choice, answeredBy: 'ada', note }];
  return bench.engine.client.workflow.getHandle(approval.workflowId).executeUpdate(answerUpdate, { args });
}

const pushing = () =>
  new FakeWorld([{ id: 'A' }], { model: ({ step }) => (step === 1 ? answers.push : answers.finished) });
const noQuota = () => ApplicationFailure.nonRetryable('the account is used up', 'provider-quota');

test('a risky command runs after a person has approved it', async () => {
  const world = pushing();
  const result = await bench.run(
    world,
    { onAsk: 'wait' },
    async (run) => {
      const approval = await asked(world);
      expect(approval).toMatchObject({
        storyId: 'A',
        kind: 'tool-risk',
        question: 'bash git push (it pushes to a remote)',
        choices: ['approve', 'deny'],
        defaultChoice: 'deny',
      });
      expect(world.log).not.toContain('tool A:1:1:p');
      await expect(give(approval, 'maybe')).rejects.toThrow('Workflow Update failed');
      await expect(give({ ...approval, approvalId: 'q-other' }, 'approve')).rejects.toThrow('Workflow Update failed');
      expect(await give(approval, 'approve')).toBe('approve');
      await expect(give(approval, 'deny')).rejects.toThrow();
      return await run.result;
    },
    'approved',
  );
  expect(result.outcome).toBe('completed');
  expect(world.log).toContain('tool A:1:1:p');
  expect(world.log).toContain('answered A approve ada');
});

test('a denied command is not run, and the model is told why', async () => {
  const world = pushing();
  const result = await bench.run(world, { onAsk: 'wait' }, async (run) => {
    await give(await asked(world), 'deny', 'use the mock');
    return await run.result;
  });
  expect(result.outcome).toBe('completed');
  expect(world.log).not.toContain('tool A:1:1:p');
  expect(world.log).toContain('deny A:p it pushes to a remote; use the mock');
});

test('nobody who answers in time counts as no', async () => {
  const world = pushing();
  const result = await bench.run(world, { onAsk: 'wait', askTimeoutMs: 500 }, (run) => run.result);
  expect(result.outcome).toBe('completed');
  expect(world.log).toContain('expired A deny timeout');
  expect(world.log).toContain('deny A:p it pushes to a remote; nobody answered in time');
});

test.each([
  ['deny', false, 'deny'],
  ['approve-safe', false, 'deny'],
  ['approve-safe', true, 'approve'],
  [undefined, true, 'deny'],
] as const)('under %s a command that is safe: %s is answered at once by %s', async (onAsk, isSafe, choice) => {
  const [call] = answers.push.toolCalls;
  const push = { ...answers.push, toolCalls: [{ ...call, ask: { why: 'why', isSafe } }] };
  const world = new FakeWorld([{ id: 'A' }], { model: ({ step }) => (step === 1 ? push : answers.finished) });
  const result = await bench.run(world, { onAsk }, (run) => run.result);
  expect(result.outcome).toBe('completed');
  expect(world.log).toContain(`answered A ${choice} on-ask`);
  expect(world.log.includes('tool A:1:1:p')).toBe(choice === 'approve');
});

test('a used-up account is waited for, and the step goes on where it was when a person says so', async () => {
  let isUsedUp = true;
  const world = new FakeWorld([{ id: 'A' }], {
    model: ({ step }) => {
      if (step === 2 && isUsedUp) throw noQuota();
      return step === 1 ? answers.write : answers.finished;
    },
  });
  const result = await bench.run(
    world,
    { onAsk: 'wait' },
    async (run) => {
      const approval = await asked(world);
      expect(approval).toMatchObject({ kind: 'quota', choices: ['retry', 'stop'], defaultChoice: 'stop' });
      isUsedUp = false;
      await give(approval, 'retry');
      return await run.result;
    },
    'quota',
  );
  expect(result.outcome).toBe('completed');
  expect(world.log.filter((line) => line.startsWith('model A:1'))).toEqual([
    'model A:1:1',
    'model A:1:2',
    'model A:1:2',
  ]);
  expect(world.log.filter((line) => line.startsWith('prepare'))).toHaveLength(1);
});

test('a used-up account ends the run as error when nobody answers in time; it can be started again', async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: () => {
      throw noQuota();
    },
  });
  const result = await bench.run(world, { onAsk: 'wait', askTimeoutMs: 300 }, (run) => run.result);
  expect(result.outcome).toBe('error');
  expect(world.finished?.message).toBe('the account is used up [provider-quota]');
  expect(world.stories[0]?.status).not.toBe('failed');
});

test('stop and cancel end what waits for a person', async () => {
  const stopped = pushing();
  const stoppedResult = await bench.run(stopped, { onAsk: 'wait' }, async (run) => {
    await asked(stopped);
    await run.handle.executeUpdate('stop');
    return await run.result;
  });
  expect(stoppedResult.outcome).toBe('stopped');
  expect(stopped.log).toContain('expired A deny stop');
  expect(stopped.log).not.toContain('tool A:1:1:p');

  const cancelled = pushing();
  const cancelledResult = await bench.run(cancelled, { onAsk: 'wait' }, async (run) => {
    await asked(cancelled);
    await run.handle.cancel();
    return await run.result;
  });
  expect(cancelledResult.outcome).toBe('cancelled');
  expect(cancelled.log).toContain('expired A deny cancelled');
});

const line = { percent: 80, spentUsd: 0.81, maxCostUsd: 1 };

/** Every story's second step is held up by the line until `budget-line-reached` stands in the events, as the store does it. */
function atLine(ids: readonly string[]): FakeWorld {
  const world: FakeWorld = new FakeWorld(
    ids.map((id) => ({ id })),
    {
      model: ({ step }) => {
        if (step === 1) return answers.write;
        const isTold = world.log.includes('event budget-line-reached');
        return isTold ? answers.finished : { kind: 'budget-line', line };
      },
    },
  );
  return world;
}

test('at the budget line the whole run waits for one answer, and goes on after it', async () => {
  const world = atLine(['A', 'B', 'C']);
  const result = await bench.run(
    world,
    { onAsk: 'wait', maxConcurrent: 2 },
    async (run) => {
      const approval = await asked(world);
      expect(approval).toMatchObject({
        storyId: '',
        workflowId: run.runId,
        kind: 'budget-line',
        question: '$0.81 of $1.00 is spent, 80% is reached: go on up to the cap?',
        choices: ['go on', 'stop'],
        defaultChoice: 'stop',
      });
      await delay(500);
      expect(world.log.filter((entry) => entry.startsWith('ask'))).toEqual(['ask  budget-line']);
      expect(world.log.some((entry) => entry.startsWith('advance') || entry.includes('C:1'))).toBe(false);
      await run.handle.executeUpdate('pause');
      await run.handle.executeUpdate('resume');
      await delay(1_500);
      expect(world.log.some((entry) => entry.startsWith('advance'))).toBe(false);
      await give(approval, 'go on');
      return await run.result;
    },
    'budget-line',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 3, total: 3 });
  expect(world.log.filter((entry) => entry.startsWith('ask'))).toHaveLength(1);
});

test.each([
  ['deny', undefined],
  ['wait', 'stop'],
] as const)('under %s a run that is not to go on ends at the line as budget-exceeded', async (onAsk, choice) => {
  const world = atLine(['A', 'B']);
  const result = await bench.run(world, { onAsk }, async (run) => {
    if (choice !== undefined) await give(await asked(world), choice);
    return await run.result;
  });
  expect(result).toMatchObject({ outcome: 'budget-exceeded', passed: 0 });
  expect(world.finished?.message).toBe('$0.81 of $1.00 is spent, and nobody wanted to go on past 80% (ask-at)');
});

test('a run that waits at the line can be stopped and cancelled', async () => {
  for (const how of ['stop', 'cancel'] as const) {
    const world = atLine(['A']);
    const result = await bench.run(world, { onAsk: 'wait' }, async (run) => {
      await asked(world);
      if (how === 'stop') await run.handle.executeUpdate('stop');
      else await run.handle.cancel();
      return await run.result;
    });
    expect(result.outcome).toBe(how === 'stop' ? 'stopped' : 'cancelled');
    expect(world.log).toContain(`expired  stop ${how === 'stop' ? 'stop' : 'cancelled'}`);
  }
});

test('with ask-plan no model is asked before a person has seen the plan; without an answer the run is stopped', async () => {
  const world = new FakeWorld([{ id: 'A' }, { id: 'B' }]);
  const result = await bench.run(
    world,
    { onAsk: 'wait', askPlan: true, maxCostUsd: 5 },
    async (run) => {
      const plan = await asked(world);
      expect(plan).toMatchObject({
        storyId: '',
        kind: 'plan',
        question: 'work on 2 of 2 stories, on feature/f, with scripted/x, for $5.00 at most?',
      });
      expect(world.log.filter((line) => line.startsWith('model'))).toEqual([]);
      await give(plan, 'start');
      return await run.result;
    },
    'ask-plan',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 2, total: 2 });
  const other = new FakeWorld([{ id: 'A' }]);
  const stopped = await bench.run(other, { onAsk: 'deny', askPlan: true }, (run) => run.result);
  expect(stopped.outcome).toBe('stopped');
  expect(other.log.filter((line) => line.startsWith('model'))).toEqual([]);
});

test('a story is merged once a person has approved it; a denial goes to its next attempt', async () => {
  const world = new FakeWorld([{ id: 'A' }]);
  const result = await bench.run(
    world,
    { onAsk: 'wait', askMerge: true },
    async (run) => {
      const first = await asked(world);
      expect(first).toMatchObject({
        storyId: 'A',
        workflowId: run.runId,
        kind: 'merge',
        question: 'merge 1 file onto feature/f? git show c-A-1',
      });
      expect(world.log).not.toContain('merge A:1');
      await give(first, 'deny', 'smaller, please');
      await expect
        .poll(() => world.log.filter((entry) => entry === 'ask A merge'), { timeout: 20_000 })
        .toHaveLength(2);
      await give(await asked(world), 'approve');
      return await run.result;
    },
    'ask-merge',
  );
  expect(result).toEqual({ outcome: 'completed', passed: 1, total: 1 });
  expect(world.log).not.toContain('merge A:1');
  expect(world.log).toContain('merge A:2');
  const failed = world.records.flatMap(({ events }) => events).find(({ kind }) => kind === 'attempt-failed');
  expect(failed?.body).toMatchObject({
    reason: 'merge-denied',
    message: 'a person did not approve the merge: smaller, please',
  });
});

test('a merge can be undone on this machine: approve-safe approves it', async () => {
  const world = new FakeWorld([{ id: 'A' }]);
  const result = await bench.run(world, { onAsk: 'approve-safe', askMerge: true }, (run) => run.result);
  expect(result.outcome).toBe('completed');
  expect(world.log).toContain('answered A approve on-ask');
});

test('a run that is stopped while a person is asked for a merge counts no failure', async () => {
  const world = new FakeWorld([{ id: 'A' }]);
  const result = await bench.run(world, { onAsk: 'wait', askMerge: true }, async (run) => {
    await asked(world);
    await run.handle.executeUpdate('stop');
    return await run.result;
  });
  expect(result.outcome).toBe('stopped');
  expect(world.log).not.toContain('event attempt-failed A');
});
