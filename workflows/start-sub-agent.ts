import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  isCancellation,
  startChild,
} from '@temporalio/workflow';
import type { AgentRef, SpawnedAgent } from '../domain/contracts/activities.ts';
import { workflowTaskTimeout } from '../domain/contracts/ralph.ts';
import type { SubAgentInput } from '../domain/contracts/session.ts';
import { agentSessionId } from '../domain/run/ids.ts';
import { rulesOf } from './agent-rules.ts';
import type { AgentLoop } from './agent-loop.ts';
import { projections } from './policies.ts';

/**
 * Does what a call of the tool `agent` asks for: an agent in a workflow of its own, with its own transcript, in the caller's workspace and
 * under its caps. It writes its answer as the call's result itself; when it cannot, that is written here.
 */
export async function runSubAgent(
  loop: AgentLoop,
  step: number,
  call: { readonly id: string; readonly spawns: SpawnedAgent },
): Promise<void> {
  const sessionId = agentSessionId(loop.sessionId, call.id);
  const agent: AgentRef = { ...loop.attempt, sessionId, parentSessionId: loop.sessionId, step, callId: call.id };
  const { maxCostUsd, maxSteps } = call.spawns;
  const readsOnly = loop.readsOnly === true || call.spawns.readsOnly;
  const input: SubAgentInput = {
    ...loop.agents,
    agent,
    model: loop.model,
    ...(loop.fallbackModel === undefined ? {} : { fallbackModel: loop.fallbackModel }),
    maxSteps,
    ...rulesOf({ ...loop, readsOnly }),
    shares: [...(loop.shares ?? []), ...(maxCostUsd === undefined ? [] : [{ sessionId, maxCostUsd }])],
  };
  const child = await startChild('subAgent', {
    workflowId: sessionId,
    args: [input],
    workflowTaskTimeout,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    staticSummary: `an agent that ${loop.attempt.storyId} has started, step ${step}`,
  });
  loop.control.children.add(child);
  try {
    await child.result();
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ChildWorkflowFailure)) throw error;
    // Somebody ended it in the engine's UI, or it broke.
    const message = `it was ended: ${error.cause?.message ?? error.message}`.slice(0, 300);
    await projections.closeAgent.executeWithOptions({ summary: `agent ${call.id}: lost` }, [
      { ...agent, readsOnly, end: 'failed', message, durationMs: 0 },
    ]);
  } finally {
    loop.control.children.delete(child);
  }
}
