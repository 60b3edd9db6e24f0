import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';
import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import { withEffectLedger } from '../../activities/effects/workspace-effects.ts';
import { createGateActivities } from '../../activities/gates/create-gate-activities.ts';
import { createAnswerSpool } from '../../activities/model/answer-spool.ts';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createLauncher } from '../../activities/process/launcher.ts';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createProgressActivities } from '../../activities/progress/create-progress-activities.ts';
import { createNudgeAgent } from '../../activities/ralph/nudge-agent.ts';
import { createPrdFileActivities } from '../../activities/ralph/prd-file.ts';
import { createCheckAnswer } from '../../activities/session/check-answer.ts';
import { createRunHooks } from '../../activities/session/run-hooks.ts';
import { createSessionActivities } from '../../activities/session/create-session-activities.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { describeToolCall, toolDefinitions } from '../../activities/tools/registry.ts';
import { createHousekeepingActivities } from '../../activities/workspace/clean-up.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { HostActivities, ProjectionActivities } from '../../domain/contracts/activities.ts';
import { hostQueue, taskQueues } from '../../domain/run/ids.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { createExtensionReader } from '../config/extensions.ts';
import { locate } from '../config/paths.ts';
import { createPriceReader } from '../config/prices.ts';
import type { PostgresStore } from '../store/store.ts';
import { interceptActivity } from './activity-interceptor.ts';
import type { CrashPoints } from './crash-points.ts';
import type { InFlightJournal } from './in-flight-journal.ts';
import { modelSettings } from '../config/model-settings.ts';

export interface WorkersOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly hostId: string;
  readonly store: PostgresStore;
  readonly connection: NativeConnection;
  readonly journal: InFlightJournal;
  /** Where commands that run are noted, see `killLeftovers`. */
  readonly processDir: string;
  readonly crashPoints: CrashPoints | undefined;
}

/** Workflows in memory; a colder one is replayed from its history when it goes on. */
const maxCachedWorkflows = 100;
const maxModelCalls = 100;
const maxProjections = 20;

/** One Temporal worker for each queue that this process serves. */
export async function createWorkers(options: WorkersOptions): Promise<Worker[]> {
  const { config, connection, crashPoints, hostId, journal } = options;
  const store = crashPoints?.watch(options.store) ?? options.store;
  const processes = { env: options.environment, processDir: options.processDir, launch: createLauncher().launch };
  const cancellationSignal = () => Context.current().cancellationSignal;
  const git = createGit(processes);
  const runCommand = createRunCommand(processes);
  const repositories = createRepositories(processes);

  const readExtensions = createExtensionReader({ config, environment: options.environment });
  const skills = async (folder: string) => (await readExtensions(folder)).skills;
  const inputFolder = join(config.dataDir, 'worker', 'hooks');
  const runHooks = createRunHooks({ store, runCommand, inputFolder, cancellationSignal });

  const model = createModelActivities({
    store,
    spool: createAnswerSpool(join(config.dataDir, 'worker', 'answers')),
    settings: modelSettings(config),
    ownPrices: createPriceReader(locate({ environment: options.environment }).pricesFile),
    tools: { definitions: toolDefinitions, describe: describeToolCall },
    cancellationSignal,
    attemptNumber: () => Context.current().info.attempt,
  });
  const projections: ProjectionActivities = {
    readyStories: (input) => store.readyStories(input),
    record: (input) => store.record(input),
    nudgeAgent: createNudgeAgent(store),
    requestApproval: (input) => store.requestApproval(input),
    settleApproval: (input) => store.settleApproval(input),
    finishRun: (input) => store.finishRun(input),
    endTurn: (input) => store.endTurn(input),
    checkAnswer: createCheckAnswer(store),
  };
  const host: HostActivities = {
    ...withEffectLedger(store, createWorkspaceActivities({ store, hostId, repositories })),
    ...createHousekeepingActivities({ store, hostId, repositories }),
    ...createToolActivities({ store, git, runCommand, cancellationSignal, skills }),
    ...createGateActivities({ store, repositories, runCommand, cancellationSignal }),
    ...createProgressActivities({ store, git }),
    ...createPrdFileActivities({ store }),
    ...createSessionActivities({ store, hostId, skills, runHooks }),
  };

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
