import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineSignal,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { taskSignals } from '../domain/contracts/a2a.ts';
import type { A2aTaskInput, WorkOnTaskResult } from '../domain/contracts/a2a.ts';
import { taskLooks } from './policies.ts';

/**
 * Drives an A2A task to its end. What the task is, is in the store; this looks at it when it is told that something may have changed,
 * and now and then in case nobody could tell.
 */
export async function a2aTask({ taskId, isCanceling: wasCanceling = false }: A2aTaskInput): Promise<void> {
  let isHeard = false;
  let isCanceling = wasCanceling;
  setHandler(defineSignal(taskSignals.look), () => {
    isHeard = true;
  });
  setHandler(defineSignal(taskSignals.cancel), () => {
    isHeard = true;
    isCanceling = true;
  });
  for (;;) {
    isHeard = false;
    const result = await lookAt(taskId, isCanceling);
    if (result.isOver) return;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof a2aTask>({ taskId, isCanceling });
    await condition(() => isHeard, result.waitMs);
  }
}

/** What can never work ends the task. */
async function lookAt(taskId: string, isCanceling: boolean): Promise<WorkOnTaskResult> {
  try {
    return await taskLooks.workOnTask({ taskId, isCanceling });
  } catch (error) {
    // That of a local activity comes without an `ActivityFailure` around it.
    if (!(error instanceof ApplicationFailure)) throw error;
    return await taskLooks.workOnTask({ taskId, isCanceling, problem: error.message.slice(0, 500) });
  }
}
