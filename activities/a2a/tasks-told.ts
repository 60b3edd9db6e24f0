import type { Store } from '../../domain/contracts/store.ts';
import type { RunEventKind } from '../../domain/run/events.ts';

type Telling = Pick<Store, 'requestApproval' | 'settleApproval' | 'endTurn' | 'record' | 'finishRun'>;

/** What a task tells of its run. */
const toldKinds: ReadonlySet<RunEventKind> = new Set(['story-passed', 'story-failed']);

/**
 * The store, with tasks told when something has changed in a run or a session that works for them. Whoever does it comes back until both
 * are done, and to be told twice is harmless.
 */
export function withTasksTold<S extends Telling & Pick<Store, 'openTasksOf'>>(
  store: S,
  tell: (taskId: string) => Promise<void>,
): S {
  const tellTasksOf = async (runId: string): Promise<void> => {
    for (const taskId of await store.openTasksOf(runId)) await tell(taskId);
  };
  const telling: Telling = {
    requestApproval: async (approval) => {
      await store.requestApproval(approval);
      await tellTasksOf(approval.runId);
    },
    settleApproval: async (settlement) => {
      await store.settleApproval(settlement);
      await tellTasksOf(settlement.runId);
    },
    endTurn: async (input, facts) => {
      await store.endTurn(input, facts);
      await tellTasksOf(input.sessionId);
    },
    record: async (input) => {
      await store.record(input);
      if (input.events.some(({ kind }) => toldKinds.has(kind))) await tellTasksOf(input.runId);
    },
    finishRun: async (input) => {
      await store.finishRun(input);
      await tellTasksOf(input.runId);
    },
  };
  return new Proxy(store, { get: (target, name) => Reflect.get(name in telling ? telling : target, name) });
}
