import { createHash } from 'node:crypto';
import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { NewRunEvent, RunEventBody } from '../../domain/run/events.ts';
import { whoseStep } from '../../domain/run/ids.ts';
import { costNothing, isLostAnswer } from './call-failure.ts';

/** After so many refused tries of one step the fall-back model is asked, once; then both take turns. */
const triesOfOneModel = 3;
const firstWaitMs = 1_000;
const longestOwnWaitMs = 60_000;
const settingsWaitMs = 20_000;
/** Answers that broke off and are asked for again, of one step; each may have been paid. */
const mostLostAnswers = 5;

/** Which model answers a step that was refused so often. The next step begins with the run's own model again. */
export function modelAfter(refusals: number, { model, fallbackModel }: ModelStepInput): string {
  if (fallbackModel === undefined || refusals < triesOfOneModel) return model;
  return (refusals - triesOfOneModel) % 2 === 0 ? fallbackModel : model;
}

export interface Refusal {
  /** What was thrown, with the wait that the event shows (`details.retryAfterMs`): the engine keeps to it. */
  readonly error: CodetetherError;
  /** Absent when it is not waited for any more. */
  readonly event?: NewRunEvent;
}

export interface RefusalContext {
  readonly input: ModelStepInput;
  /** `modelCallKey` of the step. */
  readonly key: string;
  /** Refused tries of this step before this one. */
  readonly refusals: number;
  /** Those of them whose answer broke off. */
  readonly lostAnswers: number;
  /** The model that refused. */
  readonly model: string;
  readonly nowMs: number;
}

const waitedFor: readonly ErrorCode[] = [
  'provider-overloaded',
  'provider-unreachable',
  'provider-silent',
  'provider-timeout',
];

/**
 * How long a provider that cannot answer now is waited for; undefined for failures that waiting does not mend. After
 * {@link mostLostAnswers} answers that broke off, one more is the end: `provider-answers-lost`.
 */
export function toRefusal(error: unknown, context: RefusalContext): Refusal | undefined {
  if (!(error instanceof CodetetherError) || !waitedFor.includes(error.code)) return undefined;
  const { input, key, model } = context;
  const isLost = isLostAnswer(error);
  if (isLost && context.lostAnswers >= mostLostAnswers) return { error: answersLost(error, context.lostAnswers + 1) };
  const refusals = context.refusals + 1;
  const nextModel = modelAfter(refusals, input);
  const retryAfterMs = nextModel === model ? waitMs(error, { key, refusals, input }) : 0;
  const { storyId, attempt, step } = input;
  const provider = error.details['provider'];
  return {
    error: new CodetetherError(error.code, error.message, {
      next: error.next,
      details: { ...error.details, retryAfterMs },
    }),
    event: {
      key: refusalKey(key, isLost ? `${lost}${refusals}` : refusals),
      kind: 'model-waiting',
      storyId,
      attempt,
      body: {
        ...whoseStep(input.sessionId),
        step,
        provider: typeof provider === 'string' ? provider : model,
        reason: reasonOf(error),
        message: error.message.slice(0, 300),
        until: new Date(context.nowMs + retryAfterMs).toISOString(),
        refusals,
        mayHaveCost: !costNothing(error),
        nextModel: nextModel === model ? null : nextModel,
      },
    },
  };
}

/**
 * A run is started only when its model's key and address are there (preflight), so what is missing now is missing where this
 * worker was started, and is waited for: the stack may be started again with it. Other failures stay as they are.
 */
export function waitForSettings(error: unknown): unknown {
  if (!(error instanceof CodetetherError)) return error;
  const { provider, variables, variable } = error.details;
  const isMissing =
    error.code === 'provider-key-missing' || (error.code === 'config-invalid' && variable !== undefined);
  if (!isMissing) return error;
  const named = [variables, variable]
    .flat()
    .filter((name) => typeof name === 'string')
    .join(' or ');
  return new CodetetherError(
    'provider-unreachable',
    `${error.message}: ${named} is not set for the worker; start the stack again with it (codetether down, then up)`,
    { details: { provider: provider ?? '', isNotConfigured: true, mayHaveCost: false, retryAfterMs: settingsWaitMs } },
  );
}

function answersLost(error: CodetetherError, times: number): CodetetherError {
  const message = `${times} answers in a row broke off, and each may have cost money; the last one: ${error.message}`;
  return new CodetetherError('provider-answers-lost', message, { details: error.details });
}

const lost = 'lost-';

/** Begins the keys of a step's refusals; with `lost-` of those whose answer broke off. */
export function refusalKey(key: string, which: number | '' | `lost-${number | ''}`): string {
  return `${key}:refused:${which}`;
}

function reasonOf(error: CodetetherError): RunEventBody<'model-waiting'>['reason'] {
  if (error.details['isNotConfigured'] === true) return 'not-configured';
  if (error.code === 'provider-unreachable') return 'unreachable';
  if (error.code === 'provider-silent') return 'silent';
  if (error.code === 'provider-timeout') return 'timeout';
  return error.details['status'] === 429 ? 'rate-limit' : 'overloaded';
}

/** As long as the provider asks for; where another model can answer, not longer than we would wait by ourselves. */
function waitMs(
  error: CodetetherError,
  { key, refusals, input }: { readonly key: string; readonly refusals: number; readonly input: ModelStepInput },
): number {
  const asked = error.details['retryAfterMs'];
  if (typeof asked !== 'number') return ownWaitMs(key, refusals);
  return input.fallbackModel === undefined ? asked : Math.min(asked, longestOwnWaitMs);
}

/** 1 s, doubled up to a minute, ± 25 % so that stories do not ask all at once; the same for the same try. */
function ownWaitMs(key: string, refusals: number): number {
  const waitMs = Math.min(firstWaitMs * 2 ** Math.min(refusals - 1, 10), longestOwnWaitMs);
  const jitter = createHash('sha256').update(`${key}:${refusals}`).digest().readUInt16BE(0) / 0xffff;
  return Math.round(waitMs * (0.75 + jitter / 2));
}
