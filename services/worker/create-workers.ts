import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';
import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import { createPushActivities } from '../../activities/a2a/push-activities.ts';
import { createTaskActivities } from '../../activities/a2a/task-activities.ts';
import type { TaskActivitiesDeps } from '../../activities/a2a/task-activities.ts';
import { withTasksTold } from '../../activities/a2a/tasks-told.ts';
import { withEffectLedger } from '../../activities/effects/workspace-effects.ts';
import { createGateActivities } from '../../activities/gates/create-gate-activities.ts';
import { leaveBehind, tellRemoteAway } from '../../activities/hosts/failed-work.ts';
import { withHostRuns } from '../../activities/hosts/host-runs.ts';
import { createLeaseHolder } from '../../activities/hosts/lease-holder.ts';
import { createLanguageServers } from '../../activities/lsp/language-servers.ts';
import { createMcpServers } from '../../activities/mcp/mcp-servers.ts';
import { createAnswerSpool } from '../../activities/model/answer-spool.ts';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createGuardedFetch } from '../../activities/network/guarded-fetch.ts';
import { createLauncher } from '../../activities/process/launcher.ts';
import { createLongLivedProcesses } from '../../activities/process/long-lived.ts';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { endProcesses, withProcessesEnded } from '../../activities/process/with-processes-ended.ts';
import { createProgressActivities } from '../../activities/progress/create-progress-activities.ts';
import { createNudgeAgent } from '../../activities/ralph/nudge-agent.ts';
import { createPrdFileActivities } from '../../activities/ralph/prd-file.ts';
import { createAgentCalls } from '../../activities/session/agent-calls.ts';
import { createAskCalls } from '../../activities/session/ask-calls.ts';
import { createCheckAnswer } from '../../activities/session/check-answer.ts';
import { createRunHooks } from '../../activities/session/run-hooks.ts';
import { createSessionActivities } from '../../activities/session/create-session-activities.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { withDiskQuota } from '../../activities/tools/disk-quota.ts';
import { createToolRegistry, toolCatalogue } from '../../activities/tools/registry.ts';
import { createHousekeepingActivities } from '../../activities/workspace/clean-up.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { ProjectionActivities } from '../../domain/contracts/activities.ts';
import { defaultTenant, hostQueue, taskQueues } from '../../domain/run/ids.ts';
import { createClient } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import { variable } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { createExtensionReader } from '../config/extensions.ts';
import { createKeyRing } from '../config/key-ring.ts';
import { createMcpCallPolicies } from '../config/mcp-servers.ts';
import { locate } from '../config/paths.ts';
import { createPriceReader } from '../config/prices.ts';
import { currentTenant } from '../store/current-tenant.ts';
import { openSecrets } from '../api/a2a/push-secrets.ts';
import type { RunEngine } from '../api/engine.ts';
import type { PostgresStore } from '../store/store.ts';
import { interceptActivity } from './activity-interceptor.ts';
import type { CrashPoints } from './crash-points.ts';
import type { InFlightJournal } from './in-flight-journal.ts';
import { modelSettings, modelTimeouts } from '../config/model-settings.ts';
import { localRuns, runsOfTenant } from './local-runs.ts';
import { webMeans } from './web-means.ts';

export interface WorkersOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly hostId: string;
  readonly store: PostgresStore;
  readonly connection: NativeConnection;
  readonly engine: TaskActivitiesDeps['engine'] & Pick<RunEngine, 'tellTask' | 'tellPush'>;
  readonly journal: InFlightJournal;
  /** Where commands that run are noted, see `killLeftovers`. */
  readonly processDir: string;
  readonly crashPoints: CrashPoints | undefined;
}

/** Workflows in memory; a colder one is replayed from its history when it goes on. */
const maxCachedWorkflows = 100;
const maxModelCalls = 100;
const maxProjections = 20;
/** Each waits for somebody else's server. */
const maxPushes = 50;

/** One Temporal worker for each queue that this process serves. */
export async function createWorkers(options: WorkersOptions): Promise<Worker[]> {
  const { config, connection, crashPoints, engine, hostId, journal } = options;
  const store = withTasksTold(
    crashPoints?.watch(options.store) ?? options.store,
    async (taskId) => await engine.tellTask(taskId, 'look', currentTenant() ?? defaultTenant),
  );
  const leases = createLeaseHolder(store);
  const processes = { env: options.environment, processDir: options.processDir, launch: createLauncher().launch };
  const cancellationSignal = () => Context.current().cancellationSignal;
  const git = createGit(processes);
  const runCommand = createRunCommand(processes);
  const repositories = createRepositories(processes);
  const longLived = createLongLivedProcesses({ runCommand, processDir: options.processDir });
  const languageServers = createLanguageServers({
    runCommand,
    processDir: options.processDir,
    path: variable(options.environment, 'PATH') ?? '',
  });
  const readExtensions = createExtensionReader({ config, environment: options.environment });
  const mcp = createMcpServers({
    configured: async (folder) => (await readExtensions(folder)).mcpServers,
    callsOf: createMcpCallPolicies(locate({ environment: options.environment }).configFile),
    environment: options.environment,
    runCommand,
    processDir: options.processDir,
  });
  const living = [longLived, languageServers, mcp];
  const registry = createToolRegistry({
    processes: longLived,
    memories: store,
    languageServers,
    web: webMeans(config),
    mcp,
    runs: localRuns(createClient({ socketPath: config.apiSocket }), variable(options.environment, 'PATH') ?? ''),
  });

  const ownPrices = createPriceReader(locate({ environment: options.environment }).pricesFile);
  const hostStore = leases.fence(withHostRuns(store, { git, hostId, dataDir: config.dataDir }));

  const skills = async (folder: string) => (await readExtensions(folder)).skills;
  const inputFolder = join(config.dataDir, 'worker', 'hooks');
  const runHooks = createRunHooks({ store, runCommand, inputFolder, cancellationSignal });

  const model = createModelActivities({
    store,
    spool: createAnswerSpool(join(config.dataDir, 'worker', 'answers')),
    settings: modelSettings(config),
    timeouts: modelTimeouts(config),
    ownPrices,
    tools: toolCatalogue(registry, config.toolProfile),
    cancellationSignal,
    attemptNumber: () => Context.current().info.attempt,
  });
  const projections: ProjectionActivities = {
    placeWork: (input) => store.placeWork(input),
    readyStories: (input) => store.readyStories(input),
    record: (input) => store.record(input),
    nudgeAgent: createNudgeAgent(store),
    requestApproval: (input) => store.requestApproval(input),
    settleApproval: (input) => store.settleApproval(input),
    finishRun: (input) => store.finishRun(input),
    reloadPrd: (input) => store.reloadPrd(input),
    checkAnswer: createCheckAnswer(store),
    ...createAgentCalls(store),
    ...createAskCalls(store),
  };
  const keyRing = createKeyRing(config.secretKeys?.reveal());
  const pushes = createPushActivities({
    store,
    fetch: createGuardedFetch({ trusted: config.pushHosts }),
    named: config.pushHosts,
    open: (pushed) => openSecrets(keyRing, currentTenant() ?? defaultTenant, pushed),
    // Loaded when something is pushed.
    body: async (...told) => (await import('../api/a2a/push-body.ts')).pushBody(...told),
    cancellationSignal,
  });
  const onHost = { store: hostStore, hostId, repositories, heldLease: leases.held };
  const host = leases.hold(
    withProcessesEnded(living, {
      ...withEffectLedger(hostStore, createWorkspaceActivities(onHost)),
      ...createHousekeepingActivities(onHost),
      ...withDiskQuota(
        { store: hostStore },
        createToolActivities({ store: hostStore, git, runCommand, registry, ownPrices, skills, cancellationSignal }),
      ),
      ...createGateActivities({ store: hostStore, repositories, runCommand, cancellationSignal }),
      ...createProgressActivities({ store: hostStore, hostId, git }),
      ...createPrdFileActivities(onHost),
      ...createSessionActivities({ store: hostStore, git, hostId, skills, agents: readExtensions, runHooks }),
    }),
    {
      leaseLost: async (lost) => {
        await endProcesses(living, lost);
        await leaveBehind(onHost, lost);
      },
      remoteAway: (runId, message) => tellRemoteAway(store, { runId, message, now: new Date() }),
    },
  );

  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: config.temporalNamespace,
    shutdownGraceTime: '5s',
    shutdownForceTime: '8s',
    // Heartbeats are also how a cancellation arrives.
    maxHeartbeatThrottleInterval: '2s',
    interceptors: {
      activity: [
        (context) => ({ inbound: interceptActivity(context, journal) }),
        ...(crashPoints === undefined
          ? []
          : [({ info }: Context) => ({ inbound: crashPoints.interceptor(info.activityType) })]),
      ],
    },
  };
  return await Promise.all([
    Worker.create({
      ...common,
      taskQueue: taskQueues.workflows,
      // What workflows have done beside themselves.
      activities: createTaskActivities({
        store,
        engine,
        tellPush: async (ids) => await engine.tellPush(ids, currentTenant() ?? defaultTenant),
        runs: runsOfTenant(config.apiSocket),
        git,
        hostId,
      }),
      workflowBundle: { codePath: fileURLToPath(new URL('../../workflows/bundle.js', import.meta.url)) },
      maxCachedWorkflows,
      stickyQueueScheduleToStartTimeout: '2s',
    }),
    Worker.create({
      ...common,
      taskQueue: taskQueues.service,
      activities: { ...projections },
      maxConcurrentActivityTaskExecutions: maxProjections,
    }),
    Worker.create({
      ...common,
      taskQueue: taskQueues.push,
      activities: { ...pushes },
      maxConcurrentActivityTaskExecutions: maxPushes,
    }),
    Worker.create({
      ...common,
      taskQueue: taskQueues.model,
      activities: { ...model },
      maxConcurrentActivityTaskExecutions: maxModelCalls,
    }),
    Worker.create({
      ...common,
      taskQueue: hostQueue(hostId),
      activities: { ...host },
      maxConcurrentActivityTaskExecutions: config.workerSlots,
    }),
  ]);
}
