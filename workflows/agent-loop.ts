import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { activityError } from './failure.ts';
import type { Approver } from './approval.ts';
import type { AttemptRef, ModelStepResult, ToolCallInput, ToolCallRef } from '../domain/contracts/activities.ts';
import { addUsage } from '../domain/run/budget.ts';
import type { BudgetName, Usage } from '../domain/run/budget.ts';
import { changesNothing } from '../domain/run/risk.ts';
import { repeatsToEnd } from '../domain/session/repetition.ts';
import { askAtBudgetLine, mayGoOn, unlessStopped } from './control.ts';
import type { Control } from './control.ts';
import { model, projections } from './policies.ts';
import type { Host } from './policies.ts';

export interface AgentLoop {
  readonly attempt: AttemptRef;
  readonly sessionId: string;
  readonly model: string;
  readonly fallbackModel: string | undefined;
  readonly maxSteps: number;
  readonly host: Host;
  readonly control: Control;
  readonly approver: Approver;
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
    | { readonly kind: 'budget-exceeded'; readonly budget: BudgetName }
    /** The same calls gave the same results so many times, although the model was told. */
    | { readonly kind: 'looping'; readonly repeats: number; readonly label: string }
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

    await tellNudges(loop);
    loop.onStep(step, 'thinking…');
    const answer = await callModel(loop, step);
    if (answer === undefined) return { kind: 'stopped', step, usage };
    if (answer.kind === 'budget-exceeded') return { kind: 'budget-exceeded', budget: answer.budget, step, usage };
    usage = addUsage(usage, answer.usage);
    if (answer.stop === 'finished' && loop.control.nudges.length === 0)
      return { kind: 'finished', step: step + 1, usage };

    let repeats = 0;
    for (const group of parallelGroups(answer.toolCalls)) {
      loop.onStep(step, group.map((call) => call.label).join(' · '));
      const counts = await Promise.all(group.map((call) => runToolCall(loop, step, call)));
      repeats = Math.max(repeats, ...counts);
    }
    if (repeats >= repeatsToEnd) {
      const label = answer.toolCalls.map((call) => call.label).join(' · ');
      return { kind: 'looping', repeats, label: label.slice(0, 200), step: step + 1, usage };
    }
  }
  return { kind: 'max-steps', step, usage };
}

async function tellNudges(loop: AgentLoop): Promise<void> {
  const { attempt, control, sessionId } = loop;
  for (let nudge = control.nudges[0]; nudge !== undefined; nudge = control.nudges[0]) {
    await projections.nudgeAgent.executeWithOptions(
      { summary: `${attempt.storyId}: told: ${nudge.text}`.slice(0, 200) },
      [{ ...attempt, ...nudge, sessionId }],
    );
    control.nudges.shift();
  }
}

type Decided = Exclude<ModelStepResult, { readonly kind: 'budget-line' }>;

/** Undefined when the run is to stop. A provider's account that is used up is a matter for a person. */
async function callModel(loop: AgentLoop, step: number): Promise<Decided | undefined> {
  const { storyId } = loop.attempt;
  for (;;) {
    try {
      const answer = await unlessStopped(loop.control, stopGraceMs, () => modelStep(loop, step));
      if (answer.kind !== 'budget-line') return answer;
      loop.onStep(step, 'a person is asked whether the run is to go on');
      if (!(await askAtBudgetLine(loop.control, answer.line))) return undefined;
    } catch (error) {
      if (loop.control.stopping && isCancellation(error)) return undefined;
      const failure = activityError(error);
      if (failure?.code !== 'provider-quota') throw error;
      loop.onStep(step, `a person is asked: ${failure.message}`);
      const { answer } = await loop.approver.ask({
        kind: 'quota',
        storyId,
        question: failure.message,
        choices: ['retry', 'stop'],
        isSafe: false,
      });
      if (loop.control.stopping) return undefined;
      if (answer !== 'retry') throw error;
    }
  }
}

/** A call that a stop finds under way may still end, and is paid for; one that waits for its provider may wait for hours. */
const stopGraceMs = 60_000;

function modelStep(loop: AgentLoop, step: number): Promise<ModelStepResult> {
  return model.modelStep.executeWithOptions({ summary: `${loop.attempt.storyId} step ${step}: ${loop.model}` }, [
    {
      ...loop.attempt,
      sessionId: loop.sessionId,
      step,
      model: loop.model,
      ...(loop.fallbackModel === undefined ? {} : { fallbackModel: loop.fallbackModel }),
    },
  ]);
}

/** Calls in the order asked for; neighbours that change nothing run side by side. */
function parallelGroups(calls: readonly ToolCallRef[]): ToolCallRef[][] {
  const groups: ToolCallRef[][] = [];
  for (const call of calls) {
    const last = groups.at(-1);
    if (last?.[0] !== undefined && changesNothing(call.risk) && changesNothing(last[0].risk)) last.push(call);
    else groups.push([call]);
  }
  return groups;
}

/**
 * A mutating call can be lost this often while it runs, each time with its worker, before the attempt is given up: it may be
 * what kills them. One that is lost with its worker on its way there does not count.
 */
const mostLosses = 10;

function isLoss({ cause }: ActivityFailure): boolean {
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.type === 'worker-lost');
}

/** @returns how often the step has repeated itself; 0 where that is not known */
async function runToolCall(loop: AgentLoop, step: number, call: ToolCallRef): Promise<number> {
  const input: ToolCallInput = { ...loop.attempt, sessionId: loop.sessionId, step, callId: call.id };
  const options = { summary: `${loop.attempt.storyId} step ${step}: ${call.label}` };
  if (call.ask !== undefined) {
    const question = `${call.label} (${call.ask.why})`;
    loop.onStep(step, `a person is asked: ${question}`);
    const { answer, answeredBy, note } = await loop.approver.ask({
      kind: 'tool-risk',
      storyId: loop.attempt.storyId,
      question,
      choices: ['approve', 'deny'],
      isSafe: call.ask.isSafe,
    });
    if (loop.control.stopping) return 0;
    if (answer !== 'approve') {
      const reason = [call.ask.why, answeredBy === 'timeout' ? 'nobody answered in time' : '', note]
        .filter(Boolean)
        .join('; ');
      await loop.host.tools.denyToolCall.executeWithOptions({ summary: `${options.summary} (denied)` }, [
        { ...input, reason },
      ]);
      return 0;
    }
  }
  if (changesNothing(call.risk)) {
    return (await loop.host.tools.toolCall.executeWithOptions(options, [input])).repeats;
  }
  for (let losses = 0; ;) {
    try {
      return (await loop.host.toolsOnce.toolCall.executeWithOptions(options, [input])).repeats;
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      // The call was made, and its result is recorded.
      if (activityError(error)?.code === 'disk-quota') throw error;
      const recovery = await loop.host.tools.recoverToolCall.executeWithOptions(
        { summary: `${options.summary} (recovery)` },
        [{ ...input, risk: call.risk }],
      );
      if (recovery.kind !== 'rerun') return 0;
      if ((recovery.isBegun || !isLoss(error)) && ++losses === mostLosses) throw error;
    }
  }
}
