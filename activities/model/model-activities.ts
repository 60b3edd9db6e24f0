import type { ModelActivities, ModelStepInput } from '../../domain/contracts/activities.ts';
import type { ModelCallStore, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { modelCallKey } from '../../domain/run/ids.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { toModelCallAnswer } from './answer.ts';
import { costNothing } from './call-failure.ts';
import { requireModelReference } from './check-model.ts';
import { startOutputLines } from './output-lines.ts';
import type { PreparedCall, PrepareOptions, ProviderAnswer, ToolCatalogue } from './provider-call.ts';
import { prepareRemoteCall } from './providers.ts';
import { reserve } from './reservation.ts';
import { createScriptReader } from './script-file.ts';
import type { ScriptReader } from './script-file.ts';
import { prepareScriptedCall } from './scripted.ts';
import type { ModelSettings } from './settings.ts';
import { untilStored } from './until-stored.ts';

export interface ModelActivitiesDeps {
  readonly store: ModelCallStore & Pick<SessionStore, 'readSession'> & Pick<RunStore, 'appendRunEvents' | 'getRun'>;
  readonly settings: ModelSettings;
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
  const { store } = deps;
  const scripts = createScriptReader();
  return {
    async modelStep(input) {
      const key = modelCallKey(input.sessionId, input.step);
      const stored = await store.getModelCall(key);
      if (stored !== undefined) return stored;

      let session: readonly SessionEvent[] = [];
      const readSession = async () => (session = await store.readSession(input.sessionId));
      const tryNumber = deps.attemptNumber();
      const [call] = await Promise.all([
        prepare({ input, readSession, tryNumber }, deps, scripts),
        sayStarted(store, input, key),
      ]);
      const signal = deps.cancellationSignal();
      signal.throwIfAborted();
      const reserved = await reserve(call, { store, input, key });
      if (reserved.kind === 'budget-exceeded') return reserved;

      const startedMs = performance.now();
      const raw = await send(call, reserved.maxOutputTokens, { store, input, key, signal, tryNumber });
      const answer = toModelCallAnswer(raw, {
        input,
        key,
        call,
        usedIds: toolCallIds(session),
        describe: deps.tools.describe,
        durationMs: performance.now() - startedMs,
      });
      await untilStored(() => store.answerModelCall(answer), signal);
      // Somebody who ran the same call at the same time may have been first: what is stored counts.
      return (await store.getModelCall(key)) ?? answer.result;
    },
  } satisfies ModelActivities;
}

function prepare(options: PrepareOptions, deps: ModelActivitiesDeps, scripts: ScriptReader): Promise<PreparedCall> {
  const { settings, tools } = deps;
  const idleTimeoutMs = deps.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const { provider, model, effort } = requireModelReference(options.input.model);
  if (provider === 'scripted') return prepareScriptedCall(model, { scripts, idleTimeoutMs }, options);
  const answerTokens = deps.maxOutputTokens ?? defaultMaxOutputTokens;
  return prepareRemoteCall(
    { provider, model, effort },
    { settings, tools: tools.definitions, answerTokens, idleTimeoutMs },
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
