import { CancellationScope, continueAsNew, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { SubAgentInput, SubAgentResult, SubAgentState } from '../domain/contracts/session.ts';
import { noUsage } from '../domain/run/budget.ts';
import { runAgentLoop } from './agent-loop.ts';
import { rulesOf } from './agent-rules.ts';
import type { AgentLoopEnd, AgentMeans } from './agent-loop.ts';
import { listenToAnswers } from './approval.ts';
import { listenToParent } from './control.ts';
import { activityError } from './failure.ts';
import { hostFor } from './placed-host.ts';
import { projections } from './policies.ts';
import { toolHooks } from './tool-hooks.ts';

/**
 * An agent that another one has started by a tool call: its answer is the call's result, or it works beside its starter and its answer is
 * asked for. Works in the other's workspace; its workflow id is its transcript's, so that a call never starts two, and a further task
 * starts it anew where it has ended.
 */
export async function subAgent(input: SubAgentInput): Promise<SubAgentResult> {
  const { agent, beside } = input;
  const control = listenToParent();
  const approver = listenToAnswers({
    runId: agent.runId,
    policy: () => ({ onAsk: input.onAsk, timeoutMs: input.askTimeoutMs }),
    control,
  });
  const attempt = { runId: agent.runId, storyId: agent.storyId, attempt: agent.attempt };
  const host = hostFor({ ...input, runId: agent.runId, storyId: agent.storyId }, agent);
  const startedAtMs = input.resume?.startedAtMs ?? Date.now();
  const close = async (result: SubAgentResult): Promise<SubAgentResult> => {
    const { end, message } = result;
    const durationMs = Math.max(0, Date.now() - startedAtMs);
    await projections.closeAgent.executeWithOptions({ summary: `${agent.storyId}: agent ${end}` }, [
      { ...agent, isBeside: beside !== undefined, end, message, durationMs },
    ]);
    // What comes after this is lost with the workflow; the engine lets it end only when it knows of all that came before.
    return control.messages.length === 0 ? result : { ...result, isUntold: true };
  };
  let state = input.resume;
  let end: AgentLoopEnd;
  try {
    state ??= await open(input, startedAtMs);
    const { firstStep } = state;
    end = await runAgentLoop(
      {
        attempt,
        sessionId: agent.sessionId,
        model: input.model,
        fallbackModel: input.fallbackModel,
        firstStep,
        maxSteps: firstStep + input.maxSteps - 1,
        ...rulesOf(input),
        shares: input.shares,
        agents: meansOf(input),
        hooks: toolHooks({ host, attempt, sessionId: agent.sessionId, hooks: input.hooks }),
        startedAs: agent,
        host,
        control,
        approver,
        onStep: (step, what) => setCurrentDetails(`step ${step - firstStep + 1} of ${input.maxSteps}: ${what}`),
      },
      { ...state, usage: noUsage },
    );
  } catch (error) {
    const failure = isCancellation(error) ? undefined : activityError(error);
    if (failure === undefined) throw error;
    return await close({ end: 'failed', message: `${failure.message} [${failure.code}]`.slice(0, 200) });
  }
  switch (end.kind) {
    case 'continue-as-new':
      return await continueAsNew<typeof subAgent>({
        ...input,
        resume: { ...state, step: end.step, agents: end.agents },
      });
    case 'budget-exceeded':
      return await close({ end: 'budget-exceeded', message: `the next model call does not fit (${end.budget})` });
    case 'looping':
      return await close({ end: 'looping', message: `the same ${end.repeats} times: ${end.label}`.slice(0, 200) });
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

/** Its transcript is written also when it is cancelled at once: what has ended can be looked at, and be given a further task. */
async function open(input: SubAgentInput, startedAtMs: number): Promise<SubAgentState> {
  const { agent, beside, model } = input;
  const { firstStep } = await CancellationScope.nonCancellable(() =>
    projections.openAgent.executeWithOptions({ summary: `${agent.storyId}: an agent starts` }, [
      { ...agent, readsOnly: input.readsOnly === true, model, ...(beside === undefined ? {} : { beside }) },
    ]),
  );
  return { step: firstStep, firstStep, startedAtMs };
}

function meansOf({ hostId, isShared, onAsk, askTimeoutMs, hooks }: SubAgentInput): AgentMeans {
  return {
    hostId,
    ...(isShared === undefined ? {} : { isShared }),
    onAsk,
    askTimeoutMs,
    ...(hooks === undefined ? {} : { hooks }),
  };
}
