import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { CodetetherError, toProblem } from '../../domain/errors.ts';
import { tenantOf } from '../../domain/run/ids.ts';
import { inTenant } from '../store/current-tenant.ts';
import type { InFlightJournal } from './in-flight-journal.ts';

const heartbeatIntervalMs = 1_000;
const maxPayloadBytes = 16 * 1024;

/**
 * Around every activity: the rows of its workflow's tenant and no others, heartbeats from a timer, an entry in the journal while it runs, payloads bounded, errors
 * turned into failures that carry the catalogue's code and say whether trying again helps.
 */
export function interceptActivity(context: Context, journal: InFlightJournal): ActivityInboundCallsInterceptor {
  const { info } = context;
  return {
    async execute(input, next) {
      const tenant = tenantOf(info.workflowExecution?.workflowId ?? '');
      const run = async () => {
        checkSize(info.activityType, 'arguments', input.args);
        const result = await inTenant(tenant, async () => await next(input));
        checkSize(info.activityType, 'result', result);
        return result;
      };
      if (info.isLocal) return await run().catch(rethrow(context));
      const leave = journal.enter({
        taskToken: info.taskToken,
        workflowId: info.workflowExecution?.workflowId ?? '',
        executionId: info.workflowExecution?.runId ?? '',
        activity: info.activityType,
      });
      const heartbeats = setInterval(() => context.heartbeat(), heartbeatIntervalMs);
      try {
        return await run().catch(rethrow(context));
      } finally {
        clearInterval(heartbeats);
        leave();
      }
    },
  };
}

function checkSize(activity: string, what: string, value: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  if (bytes <= maxPayloadBytes) return;
  throw new CodetetherError('payload-too-large', `the ${what} of ${activity} are ${bytes} bytes; 16 KB are allowed`);
}

function rethrow(context: Context): (error: unknown) => never {
  return (error) => {
    if (!context.cancellationSignal.aborted) throw asFailure(error, context.info.attempt);
    // A cancellation asked for is one; a worker that shuts down is no reason to cancel anything.
    if (context.cancellationDetails?.workerShutdown !== true) throw new CancelledFailure('cancelled');
    throw workerLost();
  };
}

/** Makes the engine try again at once, on whatever worker is there. */
export function workerLost(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'worker-lost',
    message: 'the worker that ran this was lost',
    nonRetryable: false,
    nextRetryDelay: 1,
  });
}

/** An error that nobody foresaw may pass: it is tried again, but not for ever. */
const maxUnforeseenAttempts = 10;

/** Failures of Temporal's own (cancellation above all) pass as they are. */
export function asFailure(error: unknown, attempt: number): Error {
  if (error instanceof TemporalFailure) return error;
  const problem = toProblem(error);
  const retryable = error instanceof CodetetherError ? error.entry.retryable : attempt < maxUnforeseenAttempts;
  const retryAfterMs = problem.details['retryAfterMs'];
  return ApplicationFailure.create({
    message: problem.title,
    type: problem.code,
    nonRetryable: !retryable,
    details: [problem],
    ...(error instanceof Error ? { cause: error } : {}),
    ...(typeof retryAfterMs === 'number' ? { nextRetryDelay: retryAfterMs } : {}),
  });
}
