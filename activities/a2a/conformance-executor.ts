import type { WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { TaskLog, TaskRecord, TaskStore, TaskWorkOf } from '../../domain/contracts/task-store.ts';
import { nextStep } from '../../domain/a2a/conformance.ts';
import type { ConformanceStep } from '../../domain/a2a/conformance.ts';
import { isTerminal } from '../../domain/a2a/task.ts';
import type { NewTaskEvent } from '../../domain/a2a/task.ts';
import { slowMs, status } from './task-status.ts';
import type { Append } from './task-status.ts';

/**
 * Plays what the official kits want of a task, step by step. Which step comes next is read from the task's log, so that it goes on
 * where it was after any death, and none comes twice.
 */
export function createConformanceExecutor({ store }: { readonly store: Pick<TaskStore, 'readTaskEvents'> }) {
  return async (
    task: TaskLog,
    { otherwise, longMs }: TaskWorkOf<'conformance'>,
    { isCanceling, append }: { readonly isCanceling: boolean; readonly append: Append },
  ): Promise<WorkOnTaskResult> => {
    if (isCanceling) {
      await append(status(task, 'canceled', { key: 'end' }));
      return { isOver: true };
    }
    for (let { events } = task; ; events = await store.readTaskEvents(task.taskId, { afterSeq: 0 })) {
      const last = events.at(-1);
      if (last?.kind === 'status' && isTerminal(last.body.state)) return { isOver: true };
      const next = nextStep(events, otherwise);
      if (last === undefined || next === undefined) return { isOver: false, waitMs: slowMs };
      const { afterMs = 0 } = next.step;
      const waitMs = last.at.getTime() + (afterMs === 'long' ? longMs : afterMs) - Date.now();
      if (waitMs > 0) return { isOver: false, waitMs };
      await append(eventOf(task, next.step, `step:${next.index}`));
      if ('state' in next.step && isTerminal(next.step.state)) return { isOver: true };
    }
  };
}

function eventOf(task: TaskRecord, step: ConformanceStep, key: string): NewTaskEvent {
  if ('state' in step)
    return status(task, step.state, { key, ...(step.text === undefined ? {} : { text: step.text }) });
  const { artifact, append, lastChunk } = step;
  return { key, kind: 'artifact', body: { artifact, append, lastChunk } };
}
