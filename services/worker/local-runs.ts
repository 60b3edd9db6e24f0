import type { RunMeans } from '../../activities/tools/run-means.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultTenant } from '../../domain/run/ids.ts';
import type { TaskActivitiesDeps } from '../../activities/a2a/task-activities.ts';
import { createClient } from '../client/client.ts';
import type { Client } from '../client/client.ts';
import { currentTenant } from '../store/current-tenant.ts';

/** Runs by the API's socket, which is the local user's: agents that work for another tenant have none of it. */
export function localRuns(client: Client, searchPath: string): RunMeans {
  const asLocal = async <T>(call: () => Promise<T>): Promise<T> => {
    if ((currentTenant() ?? defaultTenant) === defaultTenant) return await call();
    throw new CodetetherError('permission-denied', 'agents that work for another tenant neither start nor see runs');
  };
  return {
    startRun: (request) => asLocal(() => client.startRun(request)),
    listRuns: (options) => asLocal(() => client.listRuns(options)),
    getRun: (runId) => asLocal(() => client.getRun(runId)),
    reload: (runId, request) => asLocal(() => client.reload(runId, request)),
    searchPath,
  };
}

/** Runs of the tenant whose task is worked on. Whoever has sent it may start runs: the API has seen to that. */
export function runsOfTenant(socketPath: string): TaskActivitiesDeps['runs'] {
  const client = (): Client => createClient({ socketPath, tenant: currentTenant() });
  return {
    startRun: async (request, options) => await client().startRun(request, options),
    getRun: async (runId) => await client().getRun(runId),
    steer: async (runId, verb) => await client().steer(runId, verb),
  };
}
