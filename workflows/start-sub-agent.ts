import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import type { AgentRef, SpawnedAgent } from '../domain/contracts/activities.ts';
import { workflowTaskTimeout } from '../domain/contracts/ralph.ts';
import { subAgentType } from '../domain/contracts/session.ts';
import type { SubAgentInput, SubAgentResult } from '../domain/contracts/session.ts';
import { maxAgentDepth } from '../domain/run/budget.ts';
import { agentDepth, agentSessionId } from '../domain/run/ids.ts';
import type { AgentRules } from '../domain/session/agents.ts';
import { rulesOf } from './agent-rules.ts';
import type { AgentLoop } from './agent-loop.ts';
import { pauseSignal, stopSignal } from './control.ts';
import { projections } from './policies.ts';

export type SubAgentHandle = ChildWorkflowHandle<(input: SubAgentInput) => Promise<SubAgentResult>>;

/** What an agent is to be, apart from what it has of its starter. */
export interface SubAgentPlan extends Pick<SubAgentInput, 'agent' | 'maxSteps' | 'beside'> {
  readonly rules: AgentRules;
  /** Absent: that of its starter. */
  readonly model?: string;
  readonly maxCostUsd?: number | undefined;
}

/**
 * Starts an agent in a workflow of its own, with its own transcript, in its starter's workspace, under its caps and its rules. Its id is its
 * transcript's, so that a call never starts two. It is cancelled with the scope that this is called in.
 */
export async function startSubAgent(loop: AgentLoop, plan: SubAgentPlan): Promise<SubAgentHandle> {
  const { agent, rules, model = loop.model, maxCostUsd, ...rest } = plan;
  const { sessionId } = agent;
  const input: SubAgentInput = {
    ...loop.agents,
    ...rest,
    agent,
    model,
    ...(loop.fallbackModel === undefined ? {} : { fallbackModel: loop.fallbackModel }),
    ...narrowed(loop, rules),
    shares: [...(loop.shares ?? []), ...(maxCostUsd === undefined ? [] : [{ sessionId, maxCostUsd }])],
  };
  const child: SubAgentHandle = await startChild(subAgentType, {
    workflowId: sessionId,
    args: [input],
    workflowTaskTimeout,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    staticSummary: `an agent that ${loop.attempt.storyId} has started, step ${agent.step}`,
  });
  const { control } = loop;
  control.children.add(child);
  // What was asked before there was a child.
  if (control.paused) await child.signal(pauseSignal).catch(() => undefined);
  if (control.stopping) await child.signal(stopSignal).catch(() => undefined);
  return child;
}

/** What both allow. */
function narrowed(starter: AgentRules, own: AgentRules): AgentRules {
  const tools = own.tools ?? starter.tools;
  return rulesOf({
    readsOnly: starter.readsOnly === true || own.readsOnly === true,
    ...(tools === undefined ? {} : { tools: tools.filter((tool) => starter.tools?.includes(tool) ?? true) }),
  });
}

/** Why no agent may be started; undefined: it may. */
export function refusalOf(loop: AgentLoop, { readsOnly }: Pick<SpawnedAgent, 'readsOnly'>): string | undefined {
  if (agentDepth(loop.sessionId) >= maxAgentDepth)
    return `budget-exceeded (depth): agents ${maxAgentDepth} deep are the last; do it yourself`;
  if (loop.plan?.isOn === true && !readsOnly)
    return 'nothing is changed in plan mode, nor by an agent that you start: agent explore';
  if (loop.readsOnly === true && !readsOnly) return 'you only read, and an agent that you start, too: agent explore';
  return undefined;
}

/**
 * What came of an agent, also when it cannot say so itself; throws when the caller is cancelled.
 * @param isInterrupted the one that has started it has ended it
 */
export async function resultOf(
  loop: AgentLoop,
  child: SubAgentHandle,
  { isInterrupted = () => false, ...agent }: AgentRef & { isBeside: boolean; isInterrupted?: () => boolean },
): Promise<SubAgentResult> {
  try {
    return await child.result();
  } catch (error) {
    if (CancellationScope.current().consideredCancelled || !(error instanceof ChildWorkflowFailure)) throw error;
    const result: SubAgentResult = isInterrupted()
      ? { end: 'interrupted', message: '' }
      : // Somebody ended it in the engine's UI, or it broke.
        { end: 'failed', message: `it was ended: ${error.cause?.message ?? error.message}`.slice(0, 200) };
    await projections.closeAgent.executeWithOptions({ summary: `agent ${agent.callId}: ${result.end}` }, [
      { ...agent, ...result, durationMs: 0 },
    ]);
    return result;
  } finally {
    loop.control.children.delete(child);
  }
}

/** Does what a call of the tool `agent` asks for. The agent writes its answer as the call's result. */
export async function runSubAgent(
  loop: AgentLoop,
  step: number,
  call: { readonly id: string; readonly spawns: SpawnedAgent },
): Promise<void> {
  const sessionId = agentSessionId(loop.sessionId, call.id);
  const agent: AgentRef = { ...loop.attempt, sessionId, parentSessionId: loop.sessionId, step, callId: call.id };
  const { maxCostUsd, maxSteps, readsOnly } = call.spawns;
  const child = await startSubAgent(loop, { agent, rules: { readsOnly }, maxSteps, maxCostUsd });
  await resultOf(loop, child, { ...agent, isBeside: false });
}
