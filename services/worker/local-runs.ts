import type { RunMeans } from '../../activities/tools/run-means.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultTenant } from '../../domain/run/ids.ts';
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
