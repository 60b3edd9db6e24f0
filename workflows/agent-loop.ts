import { ActivityFailure, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { AttemptRef, ModelStepResult, ToolCallInput, ToolCallRef } from '../domain/contracts/activities.ts';
import { addUsage } from '../domain/run/budget.ts';
import type { Usage } from '../domain/run/budget.ts';
import { mayGoOn } from './control.ts';
import type { Control } from './control.ts';
import { model } from './policies.ts';
import type { Host } from './policies.ts';

export interface AgentLoop {
  readonly attempt: AttemptRef;
  readonly sessionId: string;
  readonly model: string;
  readonly maxSteps: number;
  readonly host: Host;
  readonly control: Control;
  /** Shown in the engine's UI while the loop runs. */
  readonly onStep: (step: number, what: string) => void;
}

export interface AgentLoopState {
  /** The next step, from 1. */
  readonly step: number;
  readonly usage: Usage;
}

export type AgentLoopEnd = AgentLoopState &
  (
    | { readonly kind: 'finished' | 'max-steps' | 'stopped' | 'continue-as-new' }
    | { readonly kind: 'budget-exceeded'; readonly budget: 'max-cost' | 'max-tokens' }
  );

/**
 * Runs one agent from `state` until it asks for completion or may not go on: model call, its tool calls, again.
 * Each is an activity with its own key, so a crash repeats at most what was under way. Returns
 * `continue-as-new` between steps when the history has grown; go on from the returned state.
 */
export async function runAgentLoop(loop: AgentLoop, state: AgentLoopState): Promise<AgentLoopEnd> {
  let { step, usage } = state;
  for (; step <= loop.maxSteps; step++) {
    if (!(await mayGoOn(loop.control))) return { kind: 'stopped', step, usage };
    if (workflowInfo().continueAsNewSuggested) return { kind: 'continue-as-new', step, usage };

    loop.onStep(step, 'thinking…');
    const answer = await callModel(loop, step);
    if (answer.kind === 'budget-exceeded') return { kind: 'budget-exceeded', budget: answer.budget, step, usage };
    usage = addUsage(usage, answer.usage);
    if (answer.stop === 'finished') return { kind: 'finished', step: step + 1, usage };

    for (const group of parallelGroups(answer.toolCalls)) {
      loop.onStep(step, group.map((call) => call.label).join(' · '));
      await Promise.all(group.map((call) => runToolCall(loop, step, call)));
    }
  }
  return { kind: 'max-steps', step, usage };
}

function callModel(loop: AgentLoop, step: number): Promise<ModelStepResult> {
  return model.modelStep.executeWithOptions({ summary: `${loop.attempt.storyId} step ${step}: ${loop.model}` }, [
    { ...loop.attempt, sessionId: loop.sessionId, step, model: loop.model },
  ]);
}

/** Calls in the order asked for; neighbours that only read run side by side. */
function parallelGroups(calls: readonly ToolCallRef[]): ToolCallRef[][] {
  const groups: ToolCallRef[][] = [];
  for (const call of calls) {
    const last = groups.at(-1);
    if (call.risk === 'read' && last?.[0]?.risk === 'read') last.push(call);
    else groups.push([call]);
  }
  return groups;
}

/** A mutating call can be lost this often (each time with its worker) before the attempt is given up. */
const maxReruns = 5;

async function runToolCall(loop: AgentLoop, step: number, call: ToolCallRef): Promise<void> {
  const input: ToolCallInput = { ...loop.attempt, sessionId: loop.sessionId, step, callId: call.id };
  const options = { summary: `${loop.attempt.storyId} step ${step}: ${call.label}` };
  if (call.risk === 'read') {
    await loop.host.tools.toolCall.executeWithOptions(options, [input]);
    return;
  }
  for (let tries = 1; ; tries++) {
    try {
      await loop.host.toolsOnce.toolCall.executeWithOptions(options, [input]);
      return;
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure) || tries === maxReruns) throw error;
      const recovery = await loop.host.tools.recoverToolCall.executeWithOptions(
        { summary: `${options.summary} (recovery)` },
        [{ ...input, risk: call.risk }],
      );
      if (recovery.kind !== 'rerun') return;
    }
  }
}
