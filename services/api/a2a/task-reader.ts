import DataLoader from 'dataloader';
import type { TaskLog, TaskStore } from '../../../domain/contracts/task-store.ts';
import { currentTenant, inTenant } from '../../store/current-tenant.ts';

/** @returns undefined for one that the current tenant does not have */
export type ReadTask = (taskId: string) => Promise<TaskLog | undefined>;

interface Asked {
  readonly tenant: string;
  readonly taskId: string;
}

/** Bounds what one answer of the database holds. */
const mostAtOnce = 50;

/**
 * Reads tasks for many callers: what is asked for in one turn of the event loop is one query for each tenant. Nothing is kept: every
 * answer is of after its question.
 */
export function createTaskReader(store: Pick<TaskStore, 'getTasks'>): ReadTask {
  const loader = new DataLoader<Asked, TaskLog | undefined>(
    async (asked) => {
      const byTenant = Map.groupBy(asked, ({ tenant }) => tenant);
      const found = new Map(
        await Promise.all(
          [...byTenant].map(async ([tenant, ofTenant]) => {
            const ids = new Set(ofTenant.map(({ taskId }) => taskId));
            const tasks = await inTenant(tenant, async () => await store.getTasks([...ids]));
            return [tenant, new Map(tasks.map((task) => [task.taskId, task]))] as const;
          }),
        ),
      );
      return asked.map(({ tenant, taskId }) => found.get(tenant)?.get(taskId));
    },
    { cache: false, maxBatchSize: mostAtOnce, batchScheduleFn: (load) => void setImmediate(load) },
  );
  return async (taskId) => await loader.load({ tenant: currentTenant() ?? '', taskId });
}
