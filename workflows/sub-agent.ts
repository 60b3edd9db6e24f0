import { continueAsNew, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { CloseAgentInput } from '../domain/contracts/activities.ts';
import type { SubAgentInput } from '../domain/contracts/session.ts';
import { noUsage } from '../domain/run/budget.ts';
import { runAgentLoop } from './agent-loop.ts';
import { rulesOf } from './agent-rules.ts';
import type { AgentLoopEnd, AgentMeans } from './agent-loop.ts';
import { listenToAnswers } from './approval.ts';
import { listenToParent } from './control.ts';
import { activityError } from './failure.ts';
import { hostFor } from './placed-host.ts';
import { projections } from './policies.ts';

/**
 * An agent that another one has started by a tool call, whose result its answer is. Works in the other's workspace; its workflow id is its
 * transcript's, so that a call never starts two.
 */
export async function subAgent(input: SubAgentInput): Promise<void> {
  const { agent } = input;
  const control = listenToParent();
  const approver = listenToAnswers({
    runId: agent.runId,
    policy: () => ({ onAsk: input.onAsk, timeoutMs: input.askTimeoutMs }),
    control,
  });
  const readsOnly = input.readsOnly === true;
  const startedAtMs = input.resume?.startedAtMs ?? Date.now();
  const close = async (end: Pick<CloseAgentInput, 'end' | 'message'>): Promise<void> => {
    const durationMs = Math.max(0, Date.now() - startedAtMs);
    await projections.closeAgent.executeWithOptions({ summary: `${agent.storyId}: agent ${end.end}` }, [
      { ...agent, readsOnly, ...end, durationMs },
    ]);
  };
  let end: AgentLoopEnd;
  try {
    if (input.resume === undefined)
      await projections.openAgent.executeWithOptions({ summary: `${agent.storyId}: an agent starts` }, [
        { ...agent, readsOnly },
      ]);
    end = await runAgentLoop(
      {
        attempt: { runId: agent.runId, storyId: agent.storyId, attempt: agent.attempt },
        sessionId: agent.sessionId,
        model: input.model,
        fallbackModel: input.fallbackModel,
        maxSteps: input.maxSteps,
        ...rulesOf(input),
        shares: input.shares,
        agents: meansOf(input),
        host: hostFor({ ...input, runId: agent.runId, storyId: agent.storyId }, agent),
        control,
        approver,
        onStep: (step, what) => setCurrentDetails(`step ${step} of ${input.maxSteps}: ${what}`),
      },
      { step: input.resume?.step ?? 1, usage: noUsage },
    );
  } catch (error) {
    const failure = isCancellation(error) ? undefined : activityError(error);
    if (failure === undefined) throw error;
    return await close({ end: 'failed', message: `${failure.message} [${failure.code}]`.slice(0, 300) });
  }
  switch (end.kind) {
    case 'continue-as-new':
      return await continueAsNew<typeof subAgent>({ ...input, resume: { step: end.step, startedAtMs } });
    case 'budget-exceeded':
      return await close({ end: 'budget-exceeded', message: `the next model call does not fit (${end.budget})` });
    case 'looping':
      return await close({ end: 'looping', message: `the same ${end.repeats} times: ${end.label}` });
    case 'unusable-answers':
      return await close({ end: 'failed', message: `${end.message} [answers-unusable]` });
    case 'max-steps':
      return await close({ end: 'max-steps', message: `not finished after ${input.maxSteps} steps` });
    case 'stopped':
      return await close({ end: 'stopped', message: 'stopped by request' });
    case 'finished':
      return await close({ end: 'finished', message: '' });
  }
}

function meansOf({ hostId, isShared, onAsk, askTimeoutMs }: SubAgentInput): AgentMeans {
  return { hostId, ...(isShared === undefined ? {} : { isShared }), onAsk, askTimeoutMs };
}
