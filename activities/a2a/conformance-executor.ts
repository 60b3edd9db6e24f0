import type { WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { TaskRecord, TaskStore, TaskWorkOf } from '../../domain/contracts/task-store.ts';
import { nextStep } from '../../domain/a2a/conformance.ts';
import type { ConformanceStep } from '../../domain/a2a/conformance.ts';
import { isTerminal } from '../../domain/a2a/task.ts';
import type { NewTaskEvent } from '../../domain/a2a/task.ts';
import { agentSays } from './agent-executor.ts';

type ConformanceTask = TaskRecord & { readonly work: TaskWorkOf<'conformance'> };

const idleMs = 5 * 60_000;

/**
 * Plays what the official kits want of a task, step by step. Which step comes next is read from the task's log, so that it goes on
 * where it was after any death, and none comes twice.
 */
export function createConformanceExecutor(store: Pick<TaskStore, 'appendTaskEvents' | 'readTaskEvents'>) {
  return async (
    task: ConformanceTask,
    { isCanceling }: { readonly isCanceling: boolean },
  ): Promise<WorkOnTaskResult> => {
    const { taskId, work } = task;
    if (isCanceling) {
      await store.appendTaskEvents(taskId, [{ key: 'end', kind: 'status', body: { state: 'canceled' } }]);
      return { isOver: true };
    }
    for (;;) {
      const events = await store.readTaskEvents(taskId, { afterSeq: 0 });
      const last = events.at(-1);
      if (last?.kind === 'status' && isTerminal(last.body.state)) return { isOver: true };
      const next = nextStep(events, work.otherwise);
      if (last === undefined || next === undefined) return { isOver: false, waitMs: idleMs };
      const { afterMs = 0 } = next.step;
      const waitMs = last.at.getTime() + (afterMs === 'long' ? work.longMs : afterMs) - Date.now();
      if (waitMs > 0) return { isOver: false, waitMs };
      await store.appendTaskEvents(taskId, [eventOf(task, next)]);
    }
  };
}

function eventOf(
  task: TaskRecord,
  { step, index }: { readonly step: ConformanceStep; readonly index: number },
): NewTaskEvent {
  const key = `step:${index}`;
  if ('artifact' in step) {
    const { artifact, append, lastChunk } = step;
    return { key, kind: 'artifact', body: { artifact, append, lastChunk } };
  }
  const said = step.text === undefined ? {} : { message: agentSays(task, key, step.text) };
  return { key, kind: 'status', body: { state: step.state, ...said } };
}
