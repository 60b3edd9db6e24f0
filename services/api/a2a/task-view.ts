import { StreamResponse, Task } from '@a2a-js/sdk';
import type { TaskEvent, TaskSnapshot, TaskState } from '../../../domain/a2a/task.ts';
import type { TaskRecord } from '../../../domain/contracts/task-store.ts';

/** `input-required` is `TASK_STATE_INPUT_REQUIRED`. */
function wireState(state: TaskState): string {
  return `TASK_STATE_${state.toUpperCase().replaceAll('-', '_')}`;
}

function wireStatus({ status, at }: Pick<TaskSnapshot, 'status' | 'at'>) {
  return { state: wireState(status.state), message: status.message, timestamp: at.toISOString() };
}

/** @param historyLength the newest so many messages; absent: all */
export function taskView(
  { taskId, contextId }: Pick<TaskRecord, 'taskId' | 'contextId'>,
  snapshot: TaskSnapshot,
  {
    historyLength,
    artifacts = true,
  }: { readonly historyLength?: number | undefined; readonly artifacts?: boolean } = {},
): Task {
  const { history } = snapshot;
  return Task.fromJSON({
    id: taskId,
    contextId,
    status: wireStatus(snapshot),
    artifacts: artifacts ? snapshot.artifacts : [],
    history: history.slice(historyLength === undefined ? 0 : Math.max(0, history.length - historyLength)),
  });
}

/** An event as those who follow a task are told of it; what they have said themselves is not told. */
export function eventView(
  { taskId, contextId }: Pick<TaskRecord, 'taskId' | 'contextId'>,
  event: TaskEvent,
): StreamResponse | undefined {
  switch (event.kind) {
    case 'message':
      return undefined;
    case 'status': {
      const status = wireStatus({ status: event.body, at: event.at });
      return StreamResponse.fromJSON({ statusUpdate: { taskId, contextId, status } });
    }
    case 'artifact':
      return StreamResponse.fromJSON({ artifactUpdate: { taskId, contextId, ...event.body } });
  }
}
