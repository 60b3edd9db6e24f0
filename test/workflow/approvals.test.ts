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
