/** The worker process: workflows, database projections, model calls, and the tools of this host. */
import { addAbortListener } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { NativeConnection, Runtime } from '@temporalio/worker';
import type { Worker } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import { killLeftovers } from '../../activities/process/process-registry.ts';
import { cleanUpId, workflowTypes } from '../../domain/contracts/ralph.ts';
import type { CleanUpInput } from '../../domain/contracts/ralph.ts';
import { defaultTenant, hostQueue, isTaskWorkflowId, runIdOf, taskQueues, tenantOf } from '../../domain/run/ids.ts';
import { toProblem } from '../../domain/errors.ts';
import { loadConfig } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { processEnvironment, variable } from '../config/environment.ts';
import { ensureHostId } from '../config/host-id.ts';
import { packageVersion } from '../config/version.ts';
import { currentTenant, inTenant } from '../store/current-tenant.ts';
import { createStore } from '../store/store.ts';
import type { PostgresStore } from '../store/store.ts';
import { createTemporalEngine } from '../api/temporal-engine.ts';
import { openTemporal } from '../temporal/connect.ts';
import { createCrashPoints } from './crash-points.ts';
import { createWorkers } from './create-workers.ts';
import { InFlightJournal } from './in-flight-journal.ts';
import type { InFlightActivity } from './in-flight-journal.ts';
import { recoverInFlight } from './recover-in-flight.ts';
import { logger } from './logger.ts';

const hostSeenIntervalMs = 5_000;
const connectRetryMs = 100;

async function main(): Promise<void> {
  const config = loadConfig();
  if (config.databaseUrl === undefined || config.temporalAddress === undefined) {
    throw new Error('DATABASE_URL and TEMPORAL_ADDRESS must be set; codetether up does it');
  }
  Runtime.install({ logger, telemetryOptions: { logging: { filter: 'ERROR' } }, shutdownSignals: [] });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());

  const processDir = join(config.dataDir, 'worker', 'processes');
  const journal = new InFlightJournal(join(config.dataDir, 'worker', 'in-flight'));
  const leftovers = journal.takeLeftovers();
  const store = createStore({
    databaseUrl: config.databaseUrl.reveal(),
    ownerUrl: config.databaseOwnerUrl?.reveal(),
    applicationName: 'codetether worker',
    // What the worker does for itself (its host's row) is the local stack's.
    tenant: () => currentTenant() ?? defaultTenant,
  });
  const [hostId, , connection] = await Promise.all([
    ensureHostId(config.dataDir),
    // What a killed worker was running must not write into a worktree any more when its call is looked at again.
    killLeftovers(processDir),
    connect(config.temporalAddress, stopping.signal),
    store.prepare({ signal: stopping.signal }),
  ]);
  const environment = processEnvironment();
  const crashPointFile = variable(environment, 'CODETETHER_CRASH_POINT_FILE');
  const engine = createTemporalEngine({ address: config.temporalAddress, namespace: config.temporalNamespace });
  const workers = await createWorkers({
    config,
    environment,
    hostId,
    store,
    connection,
    engine,
    journal,
    processDir,
    crashPoints: crashPointFile === undefined ? undefined : createCrashPoints(crashPointFile),
  });
  const running = Promise.all(workers.map((worker) => worker.run()));
  const tasks = [
    announceHost(config, hostId, { store, workers, signal: stopping.signal }),
    recover(config, store, leftovers),
    sweep(config, hostId),
    store.releaseLeases().catch(() => undefined),
  ];
  logger.info('worker is ready', { hostId, pid: process.pid });

  await Promise.race([running, untilAborted(stopping.signal)]);
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  await Promise.allSettled([running, ...tasks]);
  await connection.close();
  await engine.close();
  await store.close();
}

async function connect(address: string, signal: AbortSignal): Promise<NativeConnection> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await NativeConnection.connect({ address });
    } catch {
      // The engine may be starting, or down for hours: a worker waits for it.
      await delay(connectRetryMs, undefined, { signal });
    }
  }
}

async function recover(config: Config, store: PostgresStore, leftovers: readonly InFlightActivity[]): Promise<void> {
  if (leftovers.length === 0 || config.temporalAddress === undefined) return;
  const { client, connection } = openTemporal({ address: config.temporalAddress, namespace: config.temporalNamespace });
  try {
    await recoverInFlight(client, config.temporalNamespace, leftovers);
    const ofRuns = leftovers.filter(({ workflowId }) => !isTaskWorkflowId(workflowId));
    const runs = Map.groupBy(ofRuns, ({ workflowId }) => runIdOf(workflowId));
    for (const [runId, lost] of runs) {
      const key = `worker-recovered:${process.pid}:${Date.now()}`;
      const event = { key, kind: 'worker-recovered', body: { interrupted: lost.length } } as const;
      await inTenant(tenantOf(runId), async () => await store.appendRunEvents(runId, [event]));
    }
  } catch (error) {
    logger.warn('what the last worker was doing waits for its time-outs', { problem: toProblem(error).title });
  } finally {
    await connection.close();
  }
}

/** What runs that are over have left on this host goes, by a workflow, as `codetether cleanup --apply` does it. */
async function sweep(config: Config, hostId: string): Promise<void> {
  if (config.temporalAddress === undefined) return;
  const { client, connection } = openTemporal({ address: config.temporalAddress, namespace: config.temporalNamespace });
  const input: CleanUpInput = { hostId, apply: true };
  try {
    await client.workflow.start(workflowTypes.cleanUp, {
      workflowId: cleanUpId(input),
      taskQueue: taskQueues.workflows,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [input],
    });
  } catch (error) {
    logger.warn('what earlier runs left behind is not looked for now', { problem: toProblem(error).title });
  } finally {
    await connection.close();
  }
}

/** Keeps the host's row fresh for as long as the worker serves. */
async function announceHost(
  config: Config,
  hostId: string,
  serving: { readonly store: PostgresStore; readonly workers: readonly Worker[]; readonly signal: AbortSignal },
): Promise<void> {
  const { store, workers, signal } = serving;
  const tools = workers.find(({ options }) => options.taskQueue === hostQueue(hostId));
  const host = { hostId, name: hostname(), pid: process.pid, version: packageVersion(), slots: config.workerSlots };
  while (!signal.aborted) {
    // The database may be away; it is told again in a moment.
    const slotsUsed = tools?.getStatus().numInFlightActivities ?? 0;
    await store.seeHost({ ...host, slotsUsed }).catch(() => undefined);
    await delay(hostSeenIntervalMs, undefined, { signal }).catch(() => undefined);
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    addAbortListener(signal, () => resolve());
  });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  logger.error(toProblem(error).title, { code: toProblem(error).code });
  process.exit(1);
}
