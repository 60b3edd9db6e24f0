import type { TaskActivities, WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { TaskRecord, TaskStore } from '../../domain/contracts/task-store.ts';
import { isTerminal } from '../../domain/a2a/task.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { agentSays, createAgentExecutor } from './agent-executor.ts';
import type { AgentExecutorDeps } from './agent-executor.ts';
import { createConformanceExecutor } from './conformance-executor.ts';

export interface TaskActivitiesDeps extends AgentExecutorDeps {
  readonly store: AgentExecutorDeps['store'] & Pick<TaskStore, 'getTask'>;
}

/** See {@link TaskActivities}. */
export function createTaskActivities(deps: TaskActivitiesDeps) {
  const { store } = deps;
  const agent = createAgentExecutor(deps);
  const conformance = createConformanceExecutor(store);
  const work = async (task: TaskRecord, how: { readonly isCanceling: boolean }): Promise<WorkOnTaskResult> => {
    switch (task.work.executor) {
      case 'agent':
        return await agent({ ...task, work: task.work }, how);
      case 'conformance':
        return await conformance({ ...task, work: task.work }, how);
    }
  };
  return {
    workOnTask: async ({ taskId, isCanceling, problem }) => {
      const task = await store.getTask(taskId);
      if (task === undefined) throw new CodetetherError('not-found', `there is no task ${taskId}`);
      if (isTerminal(task.state)) return { isOver: true };
      if (problem === undefined) return await work(task, { isCanceling });
      const message = agentSays(task, 'end', problem);
      await store.appendTaskEvents(taskId, [{ key: 'end', kind: 'status', body: { state: 'failed', message } }]);
      return { isOver: true };
    },
  } satisfies TaskActivities;
}
