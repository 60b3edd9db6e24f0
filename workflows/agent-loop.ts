import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { activityError } from './failure.ts';
import type { Approver } from './approval.ts';
import type {
  AgentRef,
  AttemptRef,
  ModelStepResult,
  ToolCallInput,
  ToolCallRef,
} from '../domain/contracts/activities.ts';
import type { BesideAgent, MessageHooks } from '../domain/contracts/session.ts';
import type { OnAsk } from '../domain/run/approval.ts';
import { addUsage, maxAgentsAtOnce } from '../domain/run/budget.ts';
import type { BudgetName, BudgetShare, Usage } from '../domain/run/budget.ts';
import { changesNothing } from '../domain/run/risk.ts';
import type { AgentRules } from '../domain/session/agents.ts';
import { planTools } from '../domain/session/plan-tools.ts';
import { rulesOf } from './agent-rules.ts';
import { askPerson } from './ask-person.ts';
import { BesideAgents } from './beside-agents.ts';
import { problemsMessage, problemsToEnd } from '../domain/session/answer-problems.ts';
import { repeatsToEnd } from '../domain/session/repetition.ts';
import { askAtBudgetLine, isSpokenTo, mayGoOn, unlessStopped } from './control.ts';
import type { Control } from './control.ts';
import { model, projections } from './policies.ts';
import type { Host } from './policies.ts';
import { refusalOf, runSubAgent } from './start-sub-agent.ts';
import type { ToolHooks } from './tool-hooks.ts';

export interface AgentLoop extends AgentRules {
  readonly attempt: AttemptRef;
  readonly sessionId: string;
  readonly model: string;
  readonly fallbackModel: string | undefined;
  /** Of the turn, in a session with several; default 1. */
  readonly firstStep?: number;
  /** The last step that it may take. */
  readonly maxSteps: number;
  readonly host: Host;
  readonly control: Control;
  readonly approver: Approver;
  /** What the agent and those that have started it may spend; default: what the run's caps leave. */
  readonly shares?: readonly BudgetShare[];
  /** What agents that it starts are given. */
  readonly agents: AgentMeans;
  /** Commands of the user's or the project's around tool calls. */
  readonly hooks?: ToolHooks;
  /** Another agent has started this one, and can say something to it. */
  readonly startedAs?: AgentRef;
  /** Of the step under way. In plan mode it only reads. */
  readonly plan?: { isOn: boolean };
  /** Shown in the engine's UI while the loop runs. */
  readonly onStep: (step: number, what: string) => void;
}

export interface AgentMeans {
  readonly hostId: string;
  readonly isShared?: boolean;
  readonly onAsk: OnAsk;
  readonly askTimeoutMs: number;
  /** Run around their tool calls, too. */
  readonly hooks?: MessageHooks;
}

export interface AgentLoopState {
  /** The next step, from 1. */
  readonly step: number;
  readonly usage: Usage;
  /** That have worked beside it; none does at a loop's beginning and end. */
  readonly agents?: readonly BesideAgent[];
}

export type AgentLoopEnd = LoopEnd & {
  readonly agents: readonly BesideAgent[];
  /** Names of those that still worked. */
  readonly interrupted: readonly string[];
};

type LoopEnd = AgentLoopState &
  (
    | { readonly kind: 'finished' | 'max-steps' | 'stopped' | 'continue-as-new' }
    | { readonly kind: 'budget-exceeded'; readonly budget: BudgetName }
    /** The same calls gave the same results so many times, although the model was told. */
    | { readonly kind: 'looping'; readonly repeats: number; readonly label: string }
    /** Nothing could be done with so many answers in a row, although the model was told; `answers-unusable`. */
    | { readonly kind: 'unusable-answers'; readonly message: string }
  );

/**
 * Runs one agent from `state` until it asks for completion or may not go on: model call, its tool calls, again.
 * Each is an activity with its own key, so a crash repeats at most what was under way. Returns
 * `continue-as-new` between steps when the history has grown; go on from the returned state. Whatever the end, none of the agents
 * that it has started works any more.
 */
export async function runAgentLoop(loop: AgentLoop, state: AgentLoopState): Promise<AgentLoopEnd> {
  const beside = new BesideAgents(loop, state.agents);
  let end: LoopEnd;
  try {
    end = await runSteps(loop, state, beside);
  } catch (error) {
    await beside.end();
    throw error;
  }
  const interrupted = await beside.end();
  return { ...end, agents: beside.state(), interrupted };
}

async function runSteps(loop: AgentLoop, state: AgentLoopState, beside: BesideAgents): Promise<LoopEnd> {
  let { step, usage } = state;
  for (; step <= loop.maxSteps; step++) {
    // A new execution has no children: the engine cancels those of the old one.
    if (workflowInfo().continueAsNewSuggested) await beside.allEnded();
    if (!(await mayGoOn(loop.control))) return { kind: 'stopped', step, usage };
    // Before the execution may end: it would take what it has not told yet with it.
    await tellNudges(loop);
    if (workflowInfo().continueAsNewSuggested && !beside.isAnyWorking())
      return { kind: 'continue-as-new', step, usage };
    loop.onStep(step, 'thinking…');
    const answer = await callModel(loop, step);
    if (answer === undefined) return { kind: 'stopped', step, usage };
    if (answer.kind === 'budget-exceeded') return { kind: 'budget-exceeded', budget: answer.budget, step, usage };
    usage = addUsage(usage, answer.usage);
    const { problem } = answer;
    if (answer.stop === 'finished' && problem === undefined && !isSpokenTo(loop.control)) {
      const goesOn = step < loop.maxSteps && (await beside.remind(step));
      if (!goesOn) return { kind: 'finished', step: step + 1, usage };
    }

    let repeats = 0;
    const plan = { isOn: answer.isPlanning === true };
    for (const group of parallelGroups(answer.toolCalls)) {
      loop.onStep(step, group.map((call) => call.label).join(' · '));
      const acting = { ...loop, plan, ...(plan.isOn ? { readsOnly: true } : {}) };
      const counts = await Promise.all(group.map((call) => runToolCall({ loop: acting, beside }, step, call)));
      repeats = Math.max(repeats, ...counts);
    }
    if (problem !== undefined && problem.inARow >= problemsToEnd)
      return { kind: 'unusable-answers', message: problemsMessage(problem.kind), step: step + 1, usage };
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
  const { startedAs } = loop;
  if (startedAs === undefined) return;
  for (let message = control.messages[0]; message !== undefined; message = control.messages[0]) {
    await projections.tellAgent.executeWithOptions({ summary: `told in call ${message.callId}` }, [
      { ...startedAs, ...message },
    ]);
    control.messages.shift();
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
      ...rulesOf(loop),
      ...(loop.shares === undefined ? {} : { shares: loop.shares }),
      ...(loop.firstStep === undefined ? {} : { firstStep: loop.firstStep }),
    },
  ]);
}

/** Calls in the order asked for; neighbours that change nothing run side by side. */
function parallelGroups(calls: readonly ToolCallRef[]): ToolCallRef[][] {
  const groups: ToolCallRef[][] = [];
  for (const call of calls) {
    const last = groups.at(-1);
    const isQuiet = last?.[0] !== undefined && isGroupable(call) && isGroupable(last[0]);
    const agents = last?.filter(({ spawns }) => spawns !== undefined).length ?? 0;
    if (isQuiet && (call.spawns === undefined || agents < maxAgentsAtOnce)) last?.push(call);
    else groups.push([call]);
  }
  return groups;
}

/** A person is asked one thing at a time; a call about agents beside the caller may be about the one that the call before has started. */
function isGroupable({ risk, asks, beside }: ToolCallRef): boolean {
  return changesNothing(risk) && asks === undefined && beside === undefined;
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
async function runToolCall(
  { loop, beside }: { readonly loop: AgentLoop; readonly beside: BesideAgents },
  step: number,
  call: ToolCallRef,
): Promise<number> {
  const input: ToolCallInput = {
    ...loop.attempt,
    sessionId: loop.sessionId,
    step,
    callId: call.id,
    ...rulesOf(loop),
    ...(loop.plan?.isOn === true ? { isPlanning: true } : {}),
  };
  const options = { summary: `${loop.attempt.storyId} step ${step}: ${call.label}` };
  if (isForbidden(loop, call)) return await runAllowedCall(loop, call, { input, options });
  const denied = await loop.hooks?.before(step, call);
  if (denied !== undefined) {
    await denyToolCall(loop, { input, reason: denied, summary: options.summary });
    return 0;
  }
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
      await denyToolCall(loop, { input, reason, summary: options.summary });
      return 0;
    }
  }
  if (call.asks !== undefined) {
    const isApproved = await askPerson(loop, { ...input, asks: call.asks }, options.summary);
    if (loop.plan !== undefined && call.asks === 'plan' && isApproved) loop.plan.isOn = false;
    await loop.hooks?.after(step, call);
    return 0;
  }
  const refused = refusalOfCall({ loop, beside }, call);
  if (refused !== undefined) {
    await denyToolCall(loop, { input, reason: refused, summary: options.summary });
    return 0;
  }
  let repeats = 0;
  if (call.spawns !== undefined) await runSubAgent(loop, step, { id: call.id, spawns: call.spawns });
  else if (call.beside !== undefined) await beside.answer(loop, step, { ...call, beside: call.beside });
  else repeats = await runAllowedCall(loop, call, { input, options });
  await loop.hooks?.after(step, call);
  return repeats;
}

/** Why a call that concerns other agents may not be made now; undefined: it may. */
function refusalOfCall(
  { loop, beside }: { readonly loop: AgentLoop; readonly beside: BesideAgents },
  { name, spawns }: ToolCallRef,
): string | undefined {
  // Nothing is changed in plan mode, nor by one that was started before it.
  if (name === planTools.enter) return beside.refusalOf({ readsOnly: false });
  return spawns === undefined ? undefined : (refusalOf(loop, spawns) ?? beside.refusalOf(spawns));
}

/** The host refuses it: no hook and no person has to be asked about it. */
function isForbidden({ readsOnly, tools }: AgentLoop, { name, risk, spawns, beside }: ToolCallRef): boolean {
  // Why no agent is started is said by `refusalOf`.
  if (readsOnly === true && !changesNothing(risk) && (spawns ?? beside) === undefined) return true;
  return tools !== undefined && !tools.includes(name);
}

async function denyToolCall(
  loop: AgentLoop,
  { input, reason, summary }: { readonly input: ToolCallInput; readonly reason: string; readonly summary: string },
): Promise<void> {
  await loop.host.tools.denyToolCall.executeWithOptions({ summary: `${summary} (denied)` }, [{ ...input, reason }]);
}

async function runAllowedCall(
  loop: AgentLoop,
  call: ToolCallRef,
  { input, options }: { readonly input: ToolCallInput; readonly options: { readonly summary: string } },
): Promise<number> {
  if (changesNothing(call.risk)) {
    const { ok, repeats } = await loop.host.tools.toolCall.executeWithOptions(options, [input]);
    if (loop.plan !== undefined && ok && call.name === planTools.enter) loop.plan.isOn = true;
    return repeats;
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
