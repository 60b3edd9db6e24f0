import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import type { RalphOptions, RalphRunInput, RalphRunResult, workflowTypes } from '../../domain/contracts/ralph.ts';
import type { A2aTaskInput, PushDeliveryInput } from '../../domain/contracts/a2a.ts';
import type { AgentSessionInput, SessionMessage } from '../../domain/contracts/session.ts';
import { hostQueue, taskQueues } from '../../domain/run/ids.ts';
import { FakeWorld } from './fake-world.ts';
import { startEngine } from './temporal.ts';
import type { TestEngine } from './temporal.ts';

const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
const historiesDir = new URL('../replay/histories/', import.meta.url);
const hostId = 'test-host';
/** Of the same worker: where a shared run's work may be placed. */
export const otherHostId = 'other-host';

const defaults: RalphOptions = {
  model: 'scripted/x',
  maxIterations: 20,
  maxAttempts: 3,
  maxSteps: 10,
  maxConcurrent: 3,
  maxCostUsd: null,
  maxTokens: null,
  maxTimeMs: null,
};

const messageDefaults: Omit<SessionMessage, 'messageId'> = {
  text: 'blob',
  agent: 'build',
  model: 'scripted/x',
  maxSteps: 10,
  maxTimeMs: null,
  onAsk: 'deny',
  askTimeoutMs: 1_000,
};

type SessionWorkflow = (input: AgentSessionInput) => Promise<void>;

export interface RunningRun {
  readonly runId: string;
  readonly result: Promise<RalphRunResult>;
  readonly handle: Awaited<ReturnType<TestEngine['client']['workflow']['start']>>;
}

export interface WorkflowTestBench {
  readonly engine: TestEngine;
  /**
   * Runs `ralphRun` in the world; one at a time. With CODETETHER_RECORD_HISTORIES=1 the histories of the run and its
   * attempts become fixtures of the replay test under `historyName`.
   */
  run<T>(
    world: FakeWorld,
    change: Partial<RalphOptions>,
    work: (run: RunningRun) => Promise<T>,
    historyName?: string,
  ): Promise<T>;
  /** Runs another workflow of a run to its end; `input` gives it the run's id and this host. */
  execute<T>(
    world: FakeWorld,
    type: Exclude<keyof typeof workflowTypes, 'ralphRun' | 'ralphStory'>,
    input: (ids: { readonly runId: string; readonly hostId: string }) => object,
    historyName: string,
  ): Promise<T>;
  /** Works with one session; messages start it where it is not running, as the API does. */
  session(world: FakeWorld, work: (session: TestSession) => Promise<void>, historyName?: string): Promise<void>;
  /** Works with one task, which is told of things as the API does it, until its workflow has ended. */
  task(
    world: FakeWorld,
    work: (tell: (what: 'look' | 'cancel') => Promise<void>) => Promise<void>,
    historyName: string,
  ): Promise<void>;
  /** The same with the deliveries to one receiver. @returns events in the history of its last execution */
  pushes(world: FakeWorld, work: (tell: () => Promise<void>) => Promise<void>, historyName: string): Promise<number>;
  stop(): Promise<void>;
}

export interface TestSession {
  readonly sessionId: string;
  /** Returns how many messages are before it. */
  send(message: Partial<SessionMessage> & { readonly messageId: string }): Promise<number>;
  /** Of its newest execution. */
  handle(): ReturnType<TestEngine['client']['workflow']['getHandle']>;
}

/** An engine, and workers that run the real workflows with the activities of a fake world. */
export async function startWorkflowTestBench(
  settings: { readonly [dynamicConfigKey: string]: number } = {},
): Promise<WorkflowTestBench> {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger, telemetryOptions: { logging: { filter: 'OFF' } } });
  const [engine, workflowBundle] = await Promise.all([
    startEngine(settings),
    bundleWorkflowCode({ workflowsPath, logger }),
  ]);
  let current = new FakeWorld([]).activities();
  const activities = Object.fromEntries(
    Object.keys(current).map((name) => [name, (input: never) => Reflect.get(current, name)(input)]),
  );
  const common = { connection: engine.connection, activities };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: taskQueues.workflows, workflowBundle }),
    Worker.create({ ...common, taskQueue: taskQueues.model }),
    Worker.create({ ...common, taskQueue: taskQueues.service }),
    Worker.create({ ...common, taskQueue: taskQueues.push }),
    Worker.create({ ...common, taskQueue: hostQueue(hostId) }),
    Worker.create({ ...common, taskQueue: hostQueue(otherHostId) }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  return {
    engine,
    run: async (world, change, work, historyName) => {
      current = world.activities();
      const runId = newRunId();
      const input: RalphRunInput = {
        runId,
        execution: 1,
        hostId,
        project: 'p',
        feature: 'f',
        branch: 'feature/f',
        gates: ['test'],
        uiUrl: null,
        options: { ...defaults, ...change },
      };
      const handle = await engine.client.workflow.start('ralphRun', {
        workflowId: runId,
        taskQueue: taskQueues.workflows,
        args: [input],
      });
      const result = await work({ runId, handle, result: handle.result() });
      if (historyName !== undefined) await saveHistories(engine, runId, historyName);
      return result;
    },
    execute: async (world, type, input, historyName) => {
      current = world.activities();
      const runId = newRunId();
      const handle = await engine.client.workflow.start(type, {
        workflowId: runId,
        taskQueue: taskQueues.workflows,
        args: [input({ runId, hostId })],
      });
      const result = await handle.result();
      await saveHistories(engine, runId, historyName);
      return result;
    },
    session: async (world, work, historyName) => {
      current = world.activities();
      const sessionId = `session:test-${randomUUID().slice(0, 8)}`;
      const handle = () => engine.client.workflow.getHandle(sessionId);
      await work({
        sessionId,
        handle,
        send: async (message) =>
          await engine.client.workflow.executeUpdateWithStart<SessionWorkflow, number, [SessionMessage]>('message', {
            args: [{ ...messageDefaults, ...message }],
            startWorkflowOperation: new WithStartWorkflowOperation<SessionWorkflow>('agentSession', {
              workflowId: sessionId,
              taskQueue: taskQueues.workflows,
              workflowIdConflictPolicy: 'USE_EXISTING',
              args: [{ sessionId, hostId }],
            }),
          }),
      });
      await handle().result();
      if (historyName !== undefined) await saveHistories(engine, sessionId, historyName);
    },
    task: async (world, work, historyName) => {
      current = world.activities();
      const taskId = randomUUID();
      const workflowId = `task:${taskId}`;
      await work(async (signal) => {
        await engine.client.workflow.signalWithStart<(input: A2aTaskInput) => Promise<void>>('a2aTask', {
          workflowId,
          taskQueue: taskQueues.workflows,
          args: [{ taskId }],
          signal,
        });
      });
      await engine.client.workflow.getHandle(workflowId).result();
      await saveHistories(engine, workflowId, historyName);
    },
    pushes: async (world, work, historyName) => {
      current = world.activities();
      const taskId = randomUUID();
      const workflowId = `push:${taskId}:config`;
      await work(async () => {
        await engine.client.workflow.signalWithStart<(input: PushDeliveryInput) => Promise<void>>('pushDelivery', {
          workflowId,
          taskQueue: taskQueues.workflows,
          args: [{ taskId, configId: 'config' }],
          signal: 'look',
        });
      });
      const handle = engine.client.workflow.getHandle(workflowId);
      await handle.result();
      await saveHistories(engine, workflowId, historyName);
      return (await handle.fetchHistory()).events?.length ?? 0;
    },
    stop: async () => {
      for (const worker of workers) worker.shutdown();
      await running;
      await engine.stop();
    },
  };
}

function newRunId(): string {
  return `ralph:test-${randomUUID().slice(0, 8)}:due-dates`;
}

/** With CODETETHER_RECORD_HISTORIES=1; does nothing otherwise. */
async function saveHistories(engine: TestEngine, runId: string, name: string): Promise<void> {
  if (process.env['CODETETHER_RECORD_HISTORIES'] !== '1') return;
  await mkdir(historiesDir, { recursive: true });
  let execution = 0;
  for await (const { workflowId, runId: executionId, type } of engine.client.workflow.list({
    query: `WorkflowId STARTS_WITH "${runId}"`,
  })) {
    const history = await engine.client.workflow.getHandle(workflowId, executionId).fetchHistory();
    const suffix = workflowId.slice(runId.length).replaceAll(':', '-');
    await writeFile(
      new URL(`${type}-${name}${suffix}-${++execution}.json`, historiesDir),
      `${JSON.stringify({ workflowId, history: JSON.parse(historyToJSON(history)) })}\n`,
    );
  }
}
