import {
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { WorkflowExecutionDescription, WorkflowStartOptions } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { answerUpdate } from '../../domain/run/approval.ts';
import {
  cleanUpId,
  runUpdates,
  searchAttributes,
  workflowTaskTimeout,
  workflowTypes,
} from '../../domain/contracts/ralph.ts';
import type { CleanUpResult } from '../../domain/contracts/activities.ts';
import type { CleanUpInput, RalphRollbackInput, RalphRunInput, ReloadResult } from '../../domain/contracts/ralph.ts';
import { a2aTaskType, pushDeliveryType, pushSignals, taskSignals } from '../../domain/contracts/a2a.ts';
import type { A2aTaskInput, PushDeliveryInput } from '../../domain/contracts/a2a.ts';
import { agentSessionType, sessionUpdates } from '../../domain/contracts/session.ts';
import type { AgentSessionInput, SessionMessage } from '../../domain/contracts/session.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { pushWorkflowId, repositoryOf, taskQueues, taskWorkflowId, tenantOf } from '../../domain/run/ids.ts';
import { engineError, grpcStatus } from '../temporal/engine-errors.ts';
import { openTemporal, probeTemporal } from '../temporal/connect.ts';
import type { TemporalAddress } from '../temporal/connect.ts';
import type { EngineEnd, EngineRun, RunEngine } from './engine.ts';

const pingMs = 800;
const answerMs = 5_000;
/** Thousands of files may have to go. */
const cleanUpMs = 110_000;
/** A run takes an update between two of its steps' bookkeeping; a restarting worker needs a few seconds. */
const defaultUpdateMs = 12_000;
const invalidArgument = 3;
const maxStarts = 5;
/** The engine takes summaries of at most 400 bytes. */
const summaryCharacters = 100;

type SessionWorkflow = (input: AgentSessionInput) => Promise<void>;

export interface TemporalEngine extends RunEngine {
  close(): Promise<void>;
}

/** Connects on the first call and again after every restart of the engine. */
export function createTemporalEngine(options: TemporalAddress & { readonly updateTimeoutMs?: number }): TemporalEngine {
  const updateMs = options.updateTimeoutMs ?? defaultUpdateMs;
  const access = openTemporal(options);
  const { client, connection } = access;

  const answered = async <T>(timeoutMs: number, call: () => Promise<T>): Promise<T> => {
    try {
      return await connection.withDeadline(Date.now() + timeoutMs, call);
    } catch (error) {
      throw engineError(error);
    }
  };

  const startOnce = async (
    type: string,
    input: RalphRunInput | RalphRollbackInput,
    own: Pick<WorkflowStartOptions, 'memo' | 'typedSearchAttributes' | 'staticSummary' | 'staticDetails'>,
  ): Promise<'started' | 'already-running'> => {
    try {
      await answered(
        answerMs,
        async () =>
          await client.workflow.start(type, {
            workflowId: input.runId,
            taskQueue: taskQueues.workflows,
            workflowTaskTimeout,
            workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
            args: [input],
            ...own,
          }),
      );
      return 'started';
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return 'already-running';
      throw error;
    }
  };

  /** @param what for people: what the run does not take when it refuses */
  const update = async <T = void>(runId: string, name: string, what: string, message?: object): Promise<T> => {
    const handle = client.workflow.getHandle(runId);
    try {
      return await answered(updateMs, async () =>
        message === undefined
          ? await handle.executeUpdate<T, []>(name)
          : await handle.executeUpdate<T, [object]>(name, { args: [message] }),
      );
    } catch (error) {
      throw steerError(error, runId, what);
    }
  };

  const sendMessage = async (input: AgentSessionInput, message: SessionMessage): Promise<number> => {
    for (let tries = 1; ; tries++) {
      const startWorkflowOperation = new WithStartWorkflowOperation<SessionWorkflow>(agentSessionType, {
        workflowId: input.sessionId,
        taskQueue: taskQueues.workflows,
        workflowTaskTimeout,
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        args: [input],
        typedSearchAttributes: [
          keyword('CodetetherKind', 'session'),
          keyword('CodetetherTenant', tenantOf(input.sessionId)),
          keyword('CodetetherHost', input.hostId),
        ],
        staticSummary: input.sessionId,
      });
      try {
        return await answered(
          updateMs,
          async () =>
            await client.workflow.executeUpdateWithStart<SessionWorkflow, number, [SessionMessage]>(
              sessionUpdates.message,
              {
                args: [message],
                startWorkflowOperation,
              },
            ),
        );
      } catch (error) {
        // A session that was just ending, for want of something to do, is started again.
        if (error instanceof WorkflowNotFoundError && tries < maxStarts) continue;
        if (error instanceof WorkflowUpdateFailedError) {
          throw new CodetetherError('session-busy', `${input.sessionId}: ${error.cause?.message ?? error.message}`, {
            cause: error,
          });
        }
        throw steerError(refusedStart(error), input.sessionId, 'a message');
      }
    }
  };

  /** Starts the workflow where it is not running. */
  const signal = async (
    type: string,
    workflowId: string,
    told: { readonly kind: string; readonly tenant: string; readonly signal: string; readonly input: object },
  ): Promise<void> => {
    try {
      await answered(
        answerMs,
        async () =>
          await client.workflow.signalWithStart<(input: object) => Promise<void>>(type, {
            workflowId,
            taskQueue: taskQueues.workflows,
            workflowTaskTimeout,
            args: [told.input],
            signal: told.signal,
            typedSearchAttributes: [keyword('CodetetherKind', told.kind), keyword('CodetetherTenant', told.tenant)],
            staticSummary: workflowId.slice(0, summaryCharacters),
          }),
      );
    } catch (error) {
      throw refusedStart(error);
    }
  };

  const updateSession = async (sessionId: string, name: string, message?: object): Promise<void> => {
    try {
      await update(sessionId, name, name, message);
    } catch (error) {
      if (error instanceof CodetetherError && error.code === 'run-not-active')
        throw new CodetetherError('session-idle', `${sessionId} is not working on anything`, { cause: error });
      throw error;
    }
  };

  return {
    ping: async () => await answered(pingMs, async () => await probeTemporal(access, options.namespace, pingMs)),
    describe: async (runId, withinMs = answerMs) => {
      try {
        return engineRun(await answered(withinMs, async () => await client.workflow.getHandle(runId).describe()));
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { kind: 'missing' };
        throw error;
      }
    },
    start: async (input) => {
      try {
        return await startOnce(workflowTypes.ralphRun, input, {
          memo: { execution: input.execution },
          typedSearchAttributes: startAttributes(input),
          staticSummary: `${input.project} · ${input.feature}`.slice(0, summaryCharacters).toWellFormed(),
          staticDetails: startDetails(input),
        });
      } catch (error) {
        throw refusedStart(error);
      }
    },
    steer: async (runId, verb) => {
      if (verb !== 'cancel') return await update(runId, runUpdates[verb], verb);
      try {
        await answered(answerMs, async () => await client.workflow.getHandle(runId).cancel());
      } catch (error) {
        throw steerError(error, runId, verb);
      }
    },
    answer: async (workflowId, answer) => {
      const handle = client.workflow.getHandle(workflowId);
      try {
        await answered(updateMs, async () => await handle.executeUpdate(answerUpdate, { args: [answer] }));
      } catch (error) {
        const isSettled = error instanceof WorkflowNotFoundError || error instanceof WorkflowUpdateFailedError;
        if (isSettled) throw new CodetetherError('approval-settled', undefined, { cause: error });
        throw steerError(error, workflowId, 'an answer');
      }
    },
    tell: async (runId, verb, message) => await update(runId, runUpdates[verb], verb, message),
    reload: async (runId, request) => await update<ReloadResult>(runId, runUpdates.reload, 'an edited PRD', request),
    setCaps: async (runId, change) => await update(runId, runUpdates.setCaps, 'other caps', change),
    rollBack: async (runId, request) => await update(runId, runUpdates.rollback, 'a rollback', request),
    startRollback: async (input) =>
      await startOnce(workflowTypes.ralphRollback, input, {
        staticSummary: `rollback of ${input.storyIds.join(', ')}`.slice(0, summaryCharacters),
      }),
    send: async ({ sessionId, hostId }, message) => await sendMessage({ sessionId, hostId }, message),
    interrupt: async (sessionId, messageId) =>
      await updateSession(sessionId, sessionUpdates.interrupt, messageId === undefined ? undefined : { messageId }),
    tellTask: async (taskId, what, tenant) => {
      const input: A2aTaskInput = { taskId };
      await signal(a2aTaskType, taskWorkflowId(taskId, tenant), {
        kind: 'task',
        tenant,
        signal: taskSignals[what],
        input,
      });
    },
    tellPush: async ({ taskId, configId }, tenant) => {
      const input: PushDeliveryInput = { taskId, configId };
      const workflowId = pushWorkflowId(taskId, configId, tenant);
      await signal(pushDeliveryType, workflowId, { kind: 'push', tenant, signal: pushSignals.look, input });
    },
    steerSession: async (sessionId, nudge) => await updateSession(sessionId, sessionUpdates.steer, nudge),
    cleanUp: async (input) =>
      await answered(
        cleanUpMs,
        async () =>
          await client.workflow.execute<(input: CleanUpInput) => Promise<CleanUpResult>>(workflowTypes.cleanUp, {
            workflowId: cleanUpId(input),
            taskQueue: taskQueues.workflows,
            workflowIdConflictPolicy: 'USE_EXISTING',
            args: [input],
          }),
      ),
    close: async () => await connection.close(),
  };
}

function engineRun(description: WorkflowExecutionDescription): EngineRun {
  const memo: unknown = description.memo?.['execution'];
  const execution = typeof memo === 'number' ? memo : null;
  const { name } = description.status;
  switch (name) {
    case 'COMPLETED':
    case 'FAILED':
    case 'TERMINATED':
      return { kind: 'closed', execution, how: name.toLowerCase() as EngineEnd };
    case 'CANCELLED':
      return { kind: 'closed', execution, how: 'cancelled' };
    case 'TIMED_OUT':
      return { kind: 'closed', execution, how: 'timed out' };
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
    case 'UNKNOWN':
    case 'UNSPECIFIED':
      return { kind: 'running', execution };
  }
}

function startAttributes(input: RalphRunInput) {
  return [
    keyword('CodetetherKind', 'ralph'),
    keyword('CodetetherRepo', repositoryOf(input.runId)),
    keyword('CodetetherStatus', 'running'),
    keyword('CodetetherTenant', tenantOf(input.runId)),
    keyword('CodetetherHost', input.hostId),
  ];
}

function keyword(name: keyof typeof searchAttributes, value: string) {
  return { key: defineSearchAttributeKey(name, 'KEYWORD'), value };
}

/** Markdown, shown by the Temporal UI. */
function startDetails(input: RalphRunInput): string {
  const { options } = input;
  return [
    `**${input.project}**: ${input.feature}`,
    '',
    `- run \`${input.runId}\`, execution ${input.execution}`,
    `- branch \`${input.branch}\``,
    `- model \`${options.model}\``,
    `- host \`${input.hostId}\``,
    `- at most ${options.maxIterations} attempts, ${options.maxConcurrent} at a time`,
    `- gates: ${input.gates.length === 0 ? 'none' : input.gates.join(', ')}`,
  ].join('\n');
}

function refusedStart(error: unknown): unknown {
  const status = grpcStatus(error);
  if (status?.code !== invalidArgument) return error;
  const types = Object.entries(searchAttributes).map(([name, type]) => `--name ${name} --type ${type}`);
  return new CodetetherError('config-invalid', `the Temporal engine refuses to start a run: ${status.details}`, {
    next: `Register the search attributes: temporal operator search-attribute create ${types.join(' ')}`,
    cause: error,
  });
}

function steerError(error: unknown, runId: string, verb: string): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new CodetetherError('run-not-active', `${runId} is not being worked on`, { cause: error });
  }
  if (error instanceof WorkflowUpdateFailedError) {
    const reason = error.cause?.message ?? error.message;
    return new CodetetherError('run-not-active', `${runId} does not take ${verb}: ${reason}`, { cause: error });
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new CodetetherError('worker-lost', `${runId} did not answer to ${verb} in time; is a worker running?`, {
      next: 'Try again; codetether doctor says what is missing.',
      cause: error,
    });
  }
  return error;
}
