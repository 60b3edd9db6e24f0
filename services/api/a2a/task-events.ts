import type { TaskEvent } from '../../../domain/a2a/task.ts';
import { isTerminal } from '../../../domain/a2a/task.ts';
import type { TaskStore } from '../../../domain/contracts/task-store.ts';
import { createBell, whenReachable } from '../bell.ts';
import { inTenant } from '../../store/current-tenant.ts';

/** Nobody may be able to say that there is something new. */
const pollMs = 10_000;

/**
 * What happens to a task after `afterSeq`, in order and without gaps, up to its end; on any replica, and over every outage of the
 * database. It ends early when the signal is raised.
 */
export async function* taskEvents(
  store: Pick<TaskStore, 'readTaskEvents' | 'watchTasks'>,
  options: {
    readonly taskId: string;
    readonly tenant: string;
    readonly afterSeq: number;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<TaskEvent, void, undefined> {
  const { taskId, tenant, signal } = options;
  const bell = createBell(signal);
  const leave = await store.watchTasks((appended) => {
    if (appended === null || appended === taskId) bell.ring();
  });
  try {
    let afterSeq = options.afterSeq;
    while (!signal.aborted) {
      bell.silence();
      const events = await whenReachable(signal, async () => {
        return await inTenant(tenant, async () => await store.readTaskEvents(taskId, { afterSeq }));
      });
      for (const event of events ?? []) {
        afterSeq = event.seq;
        yield event;
        if (event.kind === 'status' && isTerminal(event.body.state)) return;
      }
      await bell.heard(pollMs);
    }
  } finally {
    await leave();
  }
}
