import { ActivityFailure, ApplicationFailure, CancellationScope, TimeoutFailure } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { AttemptRef, Lease, Placement, PlaceWorkInput } from '../domain/contracts/activities.ts';
import { hostQueue } from '../domain/run/ids.ts';
import { onHost, projections } from './policies.ts';
import type { Host } from './policies.ts';

/** How long work waits for a host before somebody asks whether it is there. A busy host may well answer later than that. */
const patienceMs = 20_000;
/** A question right at a lease's end would come too early by the least delay. */
const afterExpiryMs = 500;

export interface Work {
  readonly runId: string;
  /** The run's own host. */
  readonly hostId: string;
  readonly isShared?: boolean;
  /** Absent: what is done for the run as a whole. */
  readonly storyId?: string;
}

/**
 * The host of a run's work: any that is alive when the run is shared, else the run's own, without anything being asked.
 * @param attempt whose workspace has to be there
 */
export function hostFor({ runId, hostId, isShared = false, storyId }: Work, attempt?: AttemptRef): Host {
  const ownHost = onHost(hostId);
  return isShared ? placedHost(ownHost, new PlacedWork({ runId, storyId: storyId ?? null }, attempt)) : ownHost;
}

type Call<T> = (options: ActivityOptions, lease: Lease) => Promise<T>;

/**
 * Where a piece of work is done now. A host that does not take its work, or has lost its lease, is in question: the store is asked, and either
 * the host is alive and gets the work again, or another one takes the workspace over and gets it. A host that takes work and dies
 * in it is found out by what is scheduled on it next.
 *
 * States: unplaced → placed ⇄ in question → placed elsewhere.
 */
class PlacedWork {
  readonly #work: PlaceWorkInput;
  readonly #attempt: AttemptRef | undefined;
  #placement: Promise<Placement> | undefined;

  constructor(work: PlaceWorkInput, attempt: AttemptRef | undefined) {
    this.#work = work;
    this.#attempt = attempt;
  }

  async run<T>(call: Call<T>): Promise<T> {
    for (;;) {
      const asked = (this.#placement ??= CancellationScope.nonCancellable(() => this.#place()));
      try {
        return await onPlace(await asked, call);
      } catch (error) {
        // Whatever went wrong, the host is asked about before its next work; of several calls the first does it for all.
        if (this.#placement === asked) this.#placement = undefined;
        if (!isHostInQuestion(error)) throw error;
      }
    }
  }

  async #place(): Promise<Placement> {
    for (;;) {
      const what = this.#work.storyId ?? 'the run';
      const placement = await projections.placeWork.executeWithOptions({ summary: `which host does ${what}` }, [
        this.#work,
      ]);
      const attempt = this.#attempt;
      if (!placement.takeOver || attempt === undefined) return placement;
      try {
        const { workspaces } = onHost(placement.lease.hostId);
        await onPlace(placement, (options, lease) =>
          workspaces.takeOverWorkspace.executeWithOptions(
            { ...options, summary: `${attempt.storyId}: take the workspace over` },
            [withLease(attempt, lease)],
          ),
        );
        return placement;
      } catch (error) {
        if (!isHostInQuestion(error)) throw error;
      }
    }
  }
}

async function onPlace<T>({ lease, expiresInMs }: Placement, call: Call<T>): Promise<T> {
  const scheduleToStartTimeout = Math.min(patienceMs, expiresInMs + afterExpiryMs);
  return await call({ taskQueue: hostQueue(lease.hostId), scheduleToStartTimeout }, lease);
}

function isHostInQuestion(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'SCHEDULE_TO_START';
  return cause instanceof ApplicationFailure && cause.type === 'lease-lost';
}

/** The activity's input with the lease that it is called under, for the host to check. */
function withLease<Input extends object>(input: Input, lease: Lease): Input & { readonly lease: Lease } {
  return { ...input, lease };
}

/** The same activities as `ownHost` has, each called where the work is placed at the time. */
function placedHost(ownHost: Host, work: PlacedWork): Host {
  const placed = <Activities extends object>(activities: Activities): Activities =>
    new Proxy(activities, {
      get(target, name) {
        const activity = Reflect.get(target, name) as Activity;
        const run = (given: ActivityOptions, [input = {}]: readonly object[]) =>
          work.run((options, lease) =>
            activity.executeWithOptions({ ...given, ...options }, [withLease(input, lease)]),
          );
        return Object.assign((input: object) => run({}, [input]), { executeWithOptions: run });
      },
    });
  return {
    tools: placed(ownHost.tools),
    toolsOnce: placed(ownHost.toolsOnce),
    workspaces: placed(ownHost.workspaces),
    gates: placed(ownHost.gates),
    progress: placed(ownHost.progress),
    housekeeping: placed(ownHost.housekeeping),
    files: placed(ownHost.files),
  };
}

/** What every proxied activity is. */
interface Activity {
  executeWithOptions(options: ActivityOptions, args: readonly object[]): Promise<unknown>;
}
