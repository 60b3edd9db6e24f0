import type { ModelActivities, ModelStepInput, ModelStepResult } from '../../domain/contracts/activities.ts';
import type { ModelCallAnswer, ModelCallStore, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';
import type { Usage } from '../../domain/run/budget.ts';
import { modelCallKey } from '../../domain/run/ids.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { toModelCallAnswer } from './answer.ts';
import type { AnswerSpool } from './answer-spool.ts';
import { costNothing } from './call-failure.ts';
import { requireModelReference } from './check-model.ts';
import { startOutputLines } from './output-lines.ts';
import type { PreparedCall, PrepareOptions, ProviderAnswer, ToolCatalogue } from './provider-call.ts';
import { prepareRemoteCall } from './providers.ts';
import { modelAfter, refusalKey, toRefusal, waitForSettings } from './refusal.ts';
import type { RefusalContext } from './refusal.ts';
import { reserve } from './reservation.ts';
import { createScriptReader } from './script-file.ts';
import type { ScriptReader } from './script-file.ts';
import { prepareScriptedCall } from './scripted.ts';
import type { ModelSettings } from './settings.ts';
import { untilStored } from './until-stored.ts';

export interface ModelActivitiesDeps {
  readonly store: ModelCallStore &
    Pick<SessionStore, 'readSession'> &
    Pick<RunStore, 'appendRunEvents' | 'countRunEvents' | 'getRun'>;
  readonly spool: AnswerSpool;
  readonly settings: ModelSettings;
  /** The user's own prices as they are now; default: none. Throws `config-invalid`. */
  readonly ownPrices?: () => Promise<OwnPrices>;
  readonly tools: ToolCatalogue;
  /** Of the activity that is running: aborts when it is cancelled. */
  readonly cancellationSignal: () => AbortSignal;
  /** Which try of the running activity this is, from 1. */
  readonly attemptNumber: () => number;
  /** Room for an answer, thinking not counted. */
  readonly maxOutputTokens?: number;
  /** Silence of a provider for that long ends the call. */
  readonly idleTimeoutMs?: number;
}

const defaultMaxOutputTokens = 8192;
const defaultIdleTimeoutMs = 120_000;
const outputLineIntervalMs = 250;

/** See {@link ModelActivities}. */
export function createModelActivities(deps: ModelActivitiesDeps) {
  const { store, spool } = deps;
  const scripts = createScriptReader();
  return {
    async modelStep(asked) {
      const key = modelCallKey(asked.sessionId, asked.step);
      const stored = await store.getModelCall(key);
      if (stored !== undefined) {
        await spool.remove(key);
        return stored;
      }
      const received = await spool.read(key);
      if (received !== undefined) return await keep(received, deps);

      let session: readonly SessionEvent[] = [];
      const readSession = async () => (session = await store.readSession(input.sessionId));
      const tryNumber = deps.attemptNumber();
      const refusals =
        tryNumber === 1 ? 0 : await store.countRunEvents(asked.runId, { keyPrefix: refusalKey(key, '') });
      const input = { ...asked, model: modelAfter(refusals, asked) };
      const refusedBy = (error: unknown) =>
        sayRefused(store, error, { input: asked, key, refusals, model: input.model, nowMs: Date.now() });
      const started = sayStarted(store, input, key);
      const prepared = prepare(
        { input, readSession, lastUsage: () => lastUsageOf(store, input), tryNumber },
        deps,
        scripts,
      ).catch(async (error: unknown) => {
        await started;
        throw await refusedBy(waitForSettings(error));
      });
      const [call] = await Promise.all([prepared, started]);
      const signal = deps.cancellationSignal();
      signal.throwIfAborted();
      const reserved = await reserve(call, { store, input, key, signal });
      if (reserved.kind === 'budget-exceeded' || reserved.kind === 'budget-line') return reserved;
      if (reserved.kind === 'answered') return await answerOf(store, key);

      const startedMs = performance.now();
      const sending = { store, input, key, signal, tryNumber };
      const raw = await send(call, reserved.maxOutputTokens, sending).catch(async (error: unknown) => {
        throw await refusedBy(error);
      });
      const answer = toModelCallAnswer(raw, {
        input,
        key,
        call,
        usedIds: toolCallIds(session),
        describe: deps.tools.describe,
        durationMs: performance.now() - startedMs,
      });
      await spool.write(answer);
      return await keep(answer, deps);
    },
  } satisfies ModelActivities;
}

/** Stores an answer that was received, however long the database is away. */
async function keep(
  answer: ModelCallAnswer,
  { store, spool, cancellationSignal }: ModelActivitiesDeps,
): Promise<ModelStepResult> {
  await untilStored(() => store.answerModelCall(answer), cancellationSignal());
  // Somebody who ran the same call at the same time may have been first: what is stored counts.
  const result = (await store.getModelCall(answer.key)) ?? answer.result;
  await spool.remove(answer.key);
  return result;
}

/** Makes a wait for the provider visible; the error that the engine is to get. */
async function sayRefused(
  store: ModelActivitiesDeps['store'],
  error: unknown,
  context: RefusalContext,
): Promise<unknown> {
  const refusal = toRefusal(error, context);
  if (refusal === undefined) return error;
  // Without the database the wait is not shown, and is the same.
  await store.appendRunEvents(context.input.runId, [refusal.event]).catch(() => undefined);
  return refusal.error;
}

async function answerOf(store: ModelActivitiesDeps['store'], key: string): Promise<ModelStepResult> {
  const stored = await store.getModelCall(key);
  if (stored === undefined) throw new CodetetherError('internal', `the answer of ${key} is gone`);
  return stored;
}

/** Another model counts tokens in another way: its numbers say nothing about this one. */
async function lastUsageOf(store: ModelActivitiesDeps['store'], input: ModelStepInput): Promise<Usage | undefined> {
  if (input.step === 1) return undefined;
  const last = await store.modelCallUsage(modelCallKey(input.sessionId, input.step - 1));
  return last?.model === input.model ? last.usage : undefined;
}

async function prepare(
  options: PrepareOptions,
  deps: ModelActivitiesDeps,
  scripts: ScriptReader,
): Promise<PreparedCall> {
  const { settings, tools } = deps;
  const idleTimeoutMs = deps.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const { provider, model, effort } = requireModelReference(options.input.model);
  if (provider === 'scripted') return await prepareScriptedCall(model, { scripts, idleTimeoutMs }, options);
  const answerTokens = deps.maxOutputTokens ?? defaultMaxOutputTokens;
  const ownPrices = (await deps.ownPrices?.()) ?? {};
  return await prepareRemoteCall(
    { provider, model, effort },
    { settings, tools: tools.definitions, answerTokens, idleTimeoutMs, ownPrices },
    options,
  );
}

async function sayStarted(store: ModelActivitiesDeps['store'], input: ModelStepInput, key: string): Promise<void> {
  const { runId, storyId, attempt, step } = input;
  await store.appendRunEvents(runId, [
    { key: `${key}:start`, kind: 'step-started', storyId, attempt, body: { step, label: 'thinking…' } },
  ]);
}

interface SendContext {
  readonly store: ModelActivitiesDeps['store'];
  readonly input: ModelStepInput;
  readonly key: string;
  readonly signal: AbortSignal;
  readonly tryNumber: number;
}

async function send(
  call: PreparedCall,
  maxOutputTokens: number,
  { store, input, key, signal, tryNumber }: SendContext,
): Promise<ProviderAnswer> {
  const { runId, storyId, attempt, step } = input;
  const lines = startOutputLines({
    intervalMs: outputLineIntervalMs,
    append: (line, number) =>
      store.appendRunEvents(runId, [
        { key: `${key}:out:${tryNumber}-${number}`, kind: 'step-output', storyId, attempt, body: { step, line } },
      ]),
  });
  try {
    return await call.send({ maxOutputTokens, signal, onText: lines.add });
  } catch (error) {
    if (costNothing(error)) await store.releaseModelCall(key);
    throw error;
  } finally {
    await lines.end();
  }
}

function toolCallIds(session: readonly SessionEvent[]): ReadonlySet<string> {
  return new Set(
    session.flatMap((event) => (event.kind === 'assistant' ? event.body.toolCalls.map((call) => call.id) : [])),
  );
}
