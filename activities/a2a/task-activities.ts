import type { TaskActivities, WorkOnTaskInput, WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { PushStore } from '../../domain/contracts/push-store.ts';
import type { TaskStore } from '../../domain/contracts/task-store.ts';
import { isTerminal } from '../../domain/a2a/task.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { agentSays, createAgentExecutor } from './agent-executor.ts';
import type { AgentExecutorDeps } from './agent-executor.ts';

export interface TaskActivitiesDeps extends AgentExecutorDeps {
  readonly store: AgentExecutorDeps['store'] & Pick<TaskStore, 'getTask'> & Pick<PushStore, 'pushConfigsBehind'>;
  /** Has what happened delivered. */
  readonly tellPush: (config: { readonly taskId: string; readonly configId: string }) => Promise<void>;
}

/** See {@link TaskActivities}. */
export function createTaskActivities(deps: TaskActivitiesDeps) {
  const { store, tellPush } = deps;
  const executors = { agent: createAgentExecutor(deps) };
  return {
    workOnTask: async (input) => {
      const { taskId } = input;
      const result = await workOn(input);
      // All that happens to a task is looked at here; whoever dies before this looks again.
      for (const configId of await store.pushConfigsBehind(taskId)) await tellPush({ taskId, configId });
      return result;
    },
  } satisfies TaskActivities;

  async function workOn({ taskId, isCanceling, problem }: WorkOnTaskInput): Promise<WorkOnTaskResult> {
    const task = await store.getTask(taskId);
    if (task === undefined) throw new CodetetherError('not-found', `there is no task ${taskId}`);
    if (isTerminal(task.state)) return { isOver: true };
    if (problem === undefined) return await executors[task.work.executor](task, { isCanceling });
    const message = agentSays(task, 'end', problem);
    await store.appendTaskEvents(taskId, [{ key: 'end', kind: 'status', body: { state: 'failed', message } }]);
    return { isOver: true };
  }
}
