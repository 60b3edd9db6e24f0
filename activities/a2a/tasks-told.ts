import type { Store } from '../../domain/contracts/store.ts';

type Telling = Pick<Store, 'requestApproval' | 'settleApproval' | 'endTurn'>;

/**
 * The store, with tasks told when something has changed in a session that works for them. Whoever does it comes back until both
 * are done, and to be told twice is harmless.
 */
export function withTasksTold<S extends Telling & Pick<Store, 'openTasksOf'>>(
  store: S,
  tell: (taskId: string) => Promise<void>,
): S {
  const tellTasksOf = async (sessionId: string): Promise<void> => {
    for (const taskId of await store.openTasksOf(sessionId)) await tell(taskId);
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
  };
  return new Proxy(store, { get: (target, name) => Reflect.get(name in telling ? telling : target, name) });
}
