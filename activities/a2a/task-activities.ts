import type { TaskActivities, WorkOnTaskInput, WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { PushStore } from '../../domain/contracts/push-store.ts';
import type { TaskLog, TaskStore } from '../../domain/contracts/task-store.ts';
import { isTerminal } from '../../domain/a2a/task.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { createAgentExecutor } from './agent-executor.ts';
import type { AgentExecutorDeps } from './agent-executor.ts';
import { createConformanceExecutor } from './conformance-executor.ts';
import { createRalphExecutor } from './ralph-executor.ts';
import type { RalphExecutorDeps } from './ralph-executor.ts';
import { status } from './task-status.ts';
import type { Append } from './task-status.ts';

export interface TaskActivitiesDeps extends AgentExecutorDeps, Omit<RalphExecutorDeps, 'store' | 'engine'> {
  readonly store: AgentExecutorDeps['store'] &
    RalphExecutorDeps['store'] &
    Pick<TaskStore, 'getTask' | 'appendTaskEvents'> &
    Pick<PushStore, 'pushConfigsBehind'>;
  /** Has what happened delivered. */
  readonly tellPush: (config: { readonly taskId: string; readonly configId: string }) => Promise<void>;
}

/** See {@link TaskActivities}. */
export function createTaskActivities(deps: TaskActivitiesDeps) {
  const { store, tellPush } = deps;
  const agent = createAgentExecutor(deps);
  const ralph = createRalphExecutor(deps);
  const conformance = createConformanceExecutor(deps);
  return {
    workOnTask: async (input) => {
      const { taskId } = input;
      const result = await lookAt(input);
      // All that happens to a task is looked at here; whoever dies before this looks again.
      for (const configId of await store.pushConfigsBehind(taskId)) await tellPush({ taskId, configId });
      return result;
    },
  } satisfies TaskActivities;

  async function lookAt({ taskId, isCanceling, problem }: WorkOnTaskInput): Promise<WorkOnTaskResult> {
    const task = await store.getTask(taskId);
    if (task === undefined) throw new CodetetherError('not-found', `there is no task ${taskId}`);
    if (isTerminal(task.state)) return { isOver: true };
    const append: Append = async (...events) => await store.appendTaskEvents(taskId, events);
    if (problem === undefined) return await work(task, { isCanceling, append });
    await append(status(task, 'failed', { key: 'end', text: problem }));
    return { isOver: true };
  }

  async function work(
    task: TaskLog,
    options: { readonly isCanceling: boolean; readonly append: Append },
  ): Promise<WorkOnTaskResult> {
    switch (task.work.executor) {
      case 'agent':
        return await agent(task, task.work, options);
      case 'ralph':
        return await ralph(task, task.work, options);
      case 'conformance':
        return await conformance(task, task.work, options);
    }
  }
}
