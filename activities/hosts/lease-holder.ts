import { AsyncLocalStorage } from 'node:async_hooks';
import { z } from 'zod';
import type { HostActivities, Lease } from '../../domain/contracts/activities.ts';
import type { LeaseStore } from '../../domain/contracts/store.ts';
import { asCodetetherError } from '../../domain/errors.ts';

const Leased = z.looseObject({
  lease: z.object({ leaseId: z.string(), hostId: z.string(), number: z.number().int().positive() }).optional(),
});

const Ref = z.object({ runId: z.string(), storyId: z.string().optional() });

/** Writes that come out of work on a host. Blobs are not among them: they are their own hash. */
const fencedMethods: readonly string[] = [
  'appendRunEvents',
  'appendSessionEvents',
  'beginEffect',
  'settleEffect',
  'putWorkspace',
  'deleteWorkspace',
  'recordToolResult',
  'recordCheck',
  'rememberFailure',
];

interface LeasedStore<Methods> extends Pick<LeaseStore, 'requireLease'> {
  underLease<T>(lease: Lease, work: (store: Methods) => Promise<T>): Promise<T>;
}

/** What an activity was called for whose lease was lost. */
export interface LostWork {
  readonly lease: Lease;
  readonly runId: string;
  readonly storyId: string | undefined;
}

/** What to do besides when work under a lease fails. Neither may throw. */
export interface FailedWork {
  readonly leaseLost: (lost: LostWork) => Promise<void>;
  readonly remoteAway: (runId: string, message: string) => Promise<void>;
}

export interface LeaseHolder {
  /** The lease that the running activity was called under; undefined in a run that is not shared. */
  held(): Lease | undefined;
  /** The activities, each under the lease that its workflow sent along. They throw `lease-lost` when it is not the newest any more. */
  hold(activities: HostActivities, on: FailedWork): HostActivities;
  /**
   * The store as a host may use it: what an activity writes under a lease is written only while that is the newest, in the same
   * transaction. Throws `lease-lost` otherwise.
   */
  fence<Store extends LeasedStore<object>>(store: Store): Store;
}

/** Leases follow an activity through everything that it waits for, like the activity's own context. */
export function createLeaseHolder(store: Pick<LeaseStore, 'requireLease'>): LeaseHolder {
  const leases = new AsyncLocalStorage<Lease>();
  return {
    held: () => leases.getStore(),
    hold: (activities, on) =>
      new Proxy(activities, {
        get(target, name) {
          const activity: unknown = Reflect.get(target, name);
          if (typeof activity !== 'function') return activity;
          return async (input: unknown) => {
            const { lease, ...own } = Leased.parse(input);
            if (lease === undefined) return await Reflect.apply(activity, target, [own]);
            try {
              await store.requireLease(lease);
              return await leases.run(lease, async () => await Reflect.apply(activity, target, [own]));
            } catch (error) {
              const { runId, storyId } = Ref.parse(own);
              const { code, message } = asCodetetherError(error);
              if (code === 'lease-lost') await on.leaseLost({ lease, runId, storyId });
              if (code === 'remote-unavailable') await on.remoteAway(runId, message);
              throw error;
            }
          };
        },
      }),
    fence: (whole) =>
      new Proxy(whole, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function' || typeof name !== 'string' || !fencedMethods.includes(name)) return method;
          return async (...given: unknown[]) => {
            const lease = leases.getStore();
            if (lease === undefined) return await Reflect.apply(method, target, given);
            return await target.underLease(lease, async (fenced) => {
              const write: unknown = Reflect.get(fenced, name);
              if (typeof write !== 'function') throw new TypeError(`${name} is no method of the store`);
              return await Reflect.apply(write, fenced, given);
            });
          };
        },
      }),
  };
}
