/**
 * Time-outs and retries of every activity, in one place. Retryability is a property of the error (the worker
 * marks the others as final), so what may be tried again is tried until it works or the run is cancelled: an
 * outage of hours is waited out. Heartbeats come from a timer in the worker; 5 s without one and the work goes on elsewhere.
 */
import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { PushActivities } from '../domain/contracts/a2a.ts';
import type {
  GateActivities,
  HousekeepingActivities,
  ModelActivities,
  PrdFileActivities,
  ProgressActivities,
  ProjectionActivities,
  SessionActivities,
  ToolActivities,
  WorkspaceActivities,
} from '../domain/contracts/activities.ts';
import type { TaskActivities } from '../domain/contracts/a2a.ts';
import { hostQueue, taskQueues } from '../domain/run/ids.ts';

const heartbeatTimeout = '5s';
const untilItWorks = {
  initialInterval: '200ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
  maximumAttempts: Infinity,
} as const;

const modelPolicy: ActivityOptions = {
  taskQueue: taskQueues.model,
  // A step's own time-out ends a call long before, with words of its own; this holds a summary, a step, and what is refused before it.
  startToCloseTimeout: '4h',
  heartbeatTimeout,
  retry: { ...untilItWorks, initialInterval: '1s', maximumInterval: '60s' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Git, files, gates (which limit their commands themselves): found done when tried again. */
const repeatable: ActivityOptions = {
  startToCloseTimeout: '30m',
  heartbeatTimeout,
  retry: untilItWorks,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A tool call: never repeated by the engine, see `recoverToolCall`. */
const once: ActivityOptions = { ...repeatable, startToCloseTimeout: '15m', retry: { maximumAttempts: 1 } };

/** Quick database work. Not local activities: see docs/decisions/2026-11-20-no-local-activities.md. */
const projection: ActivityOptions = { ...repeatable, taskQueue: taskQueues.service, startToCloseTimeout: '30s' };

export const model = proxyActivities<ModelActivities>(modelPolicy);
/** One request to somebody else's server, which has 15 s; away from the database work, which it must not hold up. */
const push: ActivityOptions = { ...repeatable, taskQueue: taskQueues.push, startToCloseTimeout: '60s' };

export const pushes = proxyActivities<PushActivities>(push);
export const projections = proxyActivities<ProjectionActivities>(projection);

/** One at a time, in a workflow that does nothing else: see docs/decisions/2026-11-21-looks-are-local-activities.md. */
export const taskLooks = proxyLocalActivities<TaskActivities>({ startToCloseTimeout: '30s', retry: untilItWorks });

/** The activities of one host, by policy. */
export function onHost(hostId: string) {
  const taskQueue = hostQueue(hostId);
  return {
    tools: proxyActivities<ToolActivities>({ ...repeatable, taskQueue }),
    toolsOnce: proxyActivities<Pick<ToolActivities, 'toolCall'>>({ ...once, taskQueue }),
    workspaces: proxyActivities<WorkspaceActivities>({ ...repeatable, taskQueue }),
    gates: proxyActivities<GateActivities>({ ...repeatable, taskQueue, startToCloseTimeout: '2h' }),
    progress: proxyActivities<ProgressActivities>({ ...repeatable, taskQueue }),
    housekeeping: proxyActivities<HousekeepingActivities>({ ...repeatable, taskQueue }),
    sessions: proxyActivities<SessionActivities>({ ...repeatable, taskQueue }),
    hooks: proxyActivities<Pick<SessionActivities, 'runHooks'>>({
      ...repeatable,
      taskQueue,
      startToCloseTimeout: '4h',
    }),
    files: proxyActivities<PrdFileActivities>({ ...repeatable, taskQueue }),
  };
}

export type Host = ReturnType<typeof onHost>;
