import {
  CancellationScope,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { childSignals, runSignals } from '../domain/contracts/ralph.ts';
import type { AgentMessage, Nudge } from '../domain/contracts/ralph.ts';
import type { BudgetLine } from '../domain/run/budget.ts';
import { runIdOf } from '../domain/run/ids.ts';

export const pauseSignal = defineSignal(childSignals.pause);
export const resumeSignal = defineSignal(childSignals.resume);
export const stopSignal = defineSignal(childSignals.stop);
export const budgetLineSignal = defineSignal<[BudgetLine]>(runSignals.budgetLine);
export const nudgeSignal = defineSignal<[Nudge]>(childSignals.nudge);
export const agentMessageSignal = defineSignal<[AgentMessage]>(childSignals.agentMessage);

/** What a parent has asked of this workflow; looked at between steps. */
export interface Control {
  paused: boolean;
  stopping: boolean;
  /** What people want the agent to know before its next step, oldest first. */
  nudges: Nudge[];
  /** The same of the agent that has started it. */
  messages: AgentMessage[];
  /** Workflows that are to hear of it, too. */
  readonly children: Set<{ signal(name: string): Promise<void> }>;
}

/** Somebody has said something that the agent has not been told yet. */
export function isSpokenTo({ nudges, messages }: Pick<Control, 'nudges' | 'messages'>): boolean {
  return nudges.length > 0 || messages.length > 0;
}

/** Registers the handlers; call it before the first await. */
export function listenToParent(): Control {
  const control: Control = { paused: false, stopping: false, nudges: [], messages: [], children: new Set() };
  const passOn = async (name: string): Promise<void> => {
    // A child that has just ended cannot be signalled, and need not be.
    for (const child of control.children) await child.signal(name).catch(() => undefined);
  };
  setHandler(pauseSignal, async () => {
    control.paused = true;
    await passOn(childSignals.pause);
  });
  setHandler(resumeSignal, async () => {
    control.paused = false;
    await passOn(childSignals.resume);
  });
  setHandler(stopSignal, async () => {
    control.stopping = true;
    await passOn(childSignals.stop);
  });
  setHandler(nudgeSignal, (nudge) => {
    control.nudges.push(nudge);
  });
  setHandler(agentMessageSignal, (message) => {
    control.messages.push(message);
  });
  return control;
}

/** Runs `work`; when a stop comes and it has not ended `graceMs` later, it is cancelled. */
export async function unlessStopped<T>(control: Control, graceMs: number, work: () => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  const watch = new CancellationScope();
  const cancelLate = async () => {
    await condition(() => control.stopping);
    await sleep(graceMs);
    scope.cancel();
  };
  // Ended by its own cancellation, which is no failure.
  watch.run(cancelLate).catch(() => undefined);
  try {
    return await scope.run(work);
  } finally {
    watch.cancel();
  }
}

/** Tells the run that a budget line is reached, and waits for what a person decides; false when the workflow is to stop. */
export async function askAtBudgetLine(control: Control, line: BudgetLine): Promise<boolean> {
  const { parent, workflowId } = workflowInfo();
  if (parent !== undefined) {
    // The run resumes everybody, or stops everybody. Between it and this workflow there may be an attempt that waits for its agent.
    control.paused = true;
    await getExternalWorkflowHandle(runIdOf(workflowId)).signal(budgetLineSignal, line);
  }
  return await mayGoOn(control);
}

/** Waits while paused; true when the workflow may go on, false when it is to stop. */
export async function mayGoOn(control: Control): Promise<boolean> {
  if (control.paused && !control.stopping) await condition(() => !control.paused || control.stopping);
  return !control.stopping;
}
