import type { ModelActivities, ModelStepInput, ModelStepResult } from '../../domain/contracts/activities.ts';
import type { ModelCallAnswer, ModelCallStore, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { asCodetetherError, CodetetherError } from '../../domain/errors.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';
import type { Usage } from '../../domain/run/budget.ts';
import { defaultModelTimeouts } from '../../domain/model/timeouts.ts';
import type { ModelTimeouts } from '../../domain/model/timeouts.ts';
import { conversationTokens } from '../../domain/model/windows.ts';
import { isSessionRunId, modelCallKey, summaryKey, whoseStep } from '../../domain/run/ids.ts';
import type { ContextWindow, WantedSummary } from '../../domain/session/derive-context.ts';
import { summaryPrompt } from '../../domain/session/summary-prompt.ts';
import { mayUse } from '../../domain/session/agents.ts';
import { lookedUpTools } from '../../domain/session/listed-tools.ts';
import { planOf } from '../../domain/session/plan-mode.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { problemsInARow } from '../../domain/session/answer-problems.ts';
import { problemOf, toModelCallAnswer } from './answer.ts';
import type { AnswerSpool } from './answer-spool.ts';
import { costNothing, isTooLongFor } from './call-failure.ts';
import { requireModelReference } from './check-model.ts';
import { openContext } from './context.ts';
import type { OpenContext } from './context.ts';
import { startOutputLines } from './output-lines.ts';
import type {
  PreparedCall,
  PrepareOptions,
  ProviderAnswer,
  SendOptions,
  ToolCatalogue,
  ToolDefinition,
} from './provider-call.ts';
import { prepareRemoteCall } from './providers.ts';
import { modelAfter, refusalKey, toRefusal, waitForSettings } from './refusal.ts';
import type { RefusalContext } from './refusal.ts';
import { defaultAnswerTokens } from './reasoning.ts';
import { reserve } from './reservation.ts';
import { createScriptReader } from './script-file.ts';
import type { ScriptReader } from './script-file.ts';
import { prepareScriptedCall } from './scripted.ts';
import type { ModelSettings } from './settings.ts';
import { toSummaryAnswer } from './summarise.ts';
import { untilStored } from './until-stored.ts';

export interface ModelActivitiesDeps {
  readonly store: ModelCallStore &
    Pick<SessionStore, 'readSession' | 'getSession' | 'appendSessionEvents'> &
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
  /** See {@link ModelTimeouts}; default: {@link defaultModelTimeouts}. */
  readonly timeouts?: Partial<ModelTimeouts>;
}

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

      const tryNumber = deps.attemptNumber();
      const countRefusals = async (which: '' | 'lost-') =>
        tryNumber === 1 ? 0 : await store.countRunEvents(asked.runId, { keyPrefix: refusalKey(key, which) });
      const [refusals, lostAnswers] = await Promise.all([countRefusals(''), countRefusals('lost-')]);
      const input = { ...asked, model: modelAfter(refusals, asked) };
      const refusedBy = (error: unknown) =>
        sayRefused(store, error, { input: asked, key, refusals, lostAnswers, model: input.model, nowMs: Date.now() });

      const signal = deps.cancellationSignal();
      const started = sayStarted(store, input, key);
      let refusal: unknown;
      for (const mostSteps of ladder) {
        const context = openContext(store, { sessionId: input.sessionId, mostSteps });
        const lastUsage = () => lastUsageOf(store, input);
        const options = { input, readContext: context.read, lastUsage, tryNumber };
        const [call] = await Promise.all([
          prepareWithSummary(options, context, deps, scripts).catch(async (error: unknown) => {
            // Nothing shorter can be made: the provider's own words say more.
            if (refusal !== undefined && asCodetetherError(error).code === 'context-too-long')
              throw tooLongFor(refusal);
            await started;
            throw await refusedBy(waitForSettings(error));
          }),
          started,
        ]);
        signal.throwIfAborted();
        const reserved = await reserve(call, { store, input, key, signal });
        if (reserved.kind === 'budget-exceeded' || reserved.kind === 'budget-line') return reserved;
        if (reserved.kind === 'answered') return await answerOf(store, key);

        const startedMs = performance.now();
        let raw: ProviderAnswer;
        try {
          raw = await send(call, reserved.maxOutputTokens, { store, input, key, signal, tryNumber });
        } catch (error) {
          const tooLong = isTooLongFor(error) ? context.tooLong(key) : undefined;
          if (tooLong === undefined) throw await refusedBy(error);
          await store.appendSessionEvents(input.sessionId, [tooLong]);
          refusal = error;
          continue;
        }
        const answer = toModelCallAnswer(raw, {
          input,
          key,
          call,
          usedIds: toolCallIds(context.rows),
          isPlanning: planOf(context.rows.length === 0 ? await context.load() : context.rows) !== undefined,
          describe: deps.tools.describe,
          durationMs: performance.now() - startedMs,
          ...(await problem(raw, context.rows, input)),
        });
        await spool.write(answer);
        return await keep(answer, deps);
      }
      throw tooLongFor(refusal);
    },
  } satisfies ModelActivities;

  /** @param read the transcript, where the call has needed it */
  async function problem(raw: ProviderAnswer, read: readonly SessionEvent[], { sessionId }: ModelStepInput) {
    const kind = problemOf(raw);
    if (kind === undefined) return {};
    const rows = read.length > 0 ? read : await store.readSession(sessionId, { last: tail });
    return { problem: { kind, inARow: 1 + problemsInARow(rows) } };
  }
}

/** Rows at the end of a transcript that hold more than the useless answers that are allowed. */
const tail = 64;

/**
 * What is tried when a provider says that the conversation is too long: half of what it refused, again and again, at last with the
 * newest steps only.
 */
const ladder = [undefined, undefined, 6, 3, 1];

function tooLongFor(error: unknown): CodetetherError {
  const { message, details } = asCodetetherError(error);
  return new CodetetherError('context-too-long', message, { details });
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
  if (refusal.event !== undefined)
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

/** Makes the summary that the context wants first; without it, where it cannot be had, the steps are left out all the same. */
async function prepareWithSummary(
  options: PrepareOptions,
  context: OpenContext,
  deps: ModelActivitiesDeps,
  scripts: ScriptReader,
): Promise<PreparedCall> {
  const call = await prepare(options, context, deps, scripts);
  const wanted = context.derived?.wanted;
  if (wanted === undefined || !(await summarise(wanted, { options, context, deps, scripts }))) return call;
  return await prepare(options, context, deps, scripts);
}

interface SummariseContext {
  readonly options: PrepareOptions;
  readonly context: OpenContext;
  readonly deps: ModelActivitiesDeps;
  readonly scripts: ScriptReader;
}

/** @returns whether the summary is in the transcript now. What fails for good is said, and not tried again. */
async function summarise(
  wanted: WantedSummary,
  { options, context, deps, scripts }: SummariseContext,
): Promise<boolean> {
  const { store, spool } = deps;
  const { input } = options;
  const key = summaryKey(input.sessionId, wanted);
  const failedKey = `${key}:failed`;
  const signal = deps.cancellationSignal();
  const { rows, derived } = context;
  const budgetTokens = derived?.budgetTokens ?? 0;
  try {
    if ((await store.getModelCall(key)) !== undefined) return false;
    const received = await spool.read(key);
    if (received === undefined) {
      if ((await store.countRunEvents(input.runId, { keyPrefix: failedKey })) > 0) return false;
      await sayStarted(store, input, key, 'summarising…');
      const prompt = (window: ContextWindow) =>
        summaryPrompt(rows, wanted, Math.min(budgetTokens, conversationTokens(window)));
      const readContext = async (window: ContextWindow) => ({ messages: prompt(window), since: undefined });
      const summaryTokens = wanted.targetTokens;
      const asked = { ...options, readContext, lastUsage: async () => undefined, summaryTokens };
      const call = await prepare(asked, context, deps, scripts);
      const reserved = await reserve(call, { store, input, key, signal });
      if (reserved.kind !== 'reserved') return reserved.kind === 'answered';
      const raw = await sendOrRelease(call, { maxOutputTokens: reserved.maxOutputTokens, signal }, { store, key });
      const answer = toSummaryAnswer(raw, { input, key, call, wanted, rows });
      await spool.write(answer);
      await keep(answer, deps);
    } else {
      await keep(received, deps);
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const { entry, message } = asCodetetherError(error);
    if (entry.retryable) return false;
    const warning = `the conversation goes on without a summary of its older steps: ${message}`.slice(0, 500);
    await store.appendRunEvents(input.runId, [{ key: failedKey, kind: 'warning', body: { message: warning } }]);
    return false;
  }
}

/** Those of the profile, then those that the agent has looked up. */
function toolsFor(
  input: ModelStepInput,
  tools: ToolCatalogue,
  rows: readonly SessionEvent[],
): readonly ToolDefinition[] {
  const told = isSessionRunId(input.runId) ? tools.sessionDefinitions : tools.definitions;
  const names = new Set(told.map(({ name }) => name));
  const lookedUp = lookedUpTools(rows).flatMap((name) =>
    names.has(name) ? [] : tools.allDefinitions.filter((tool) => tool.name === name),
  );
  return [...told, ...lookedUp].filter((tool) => mayUse(input, tool));
}

async function prepare(
  options: PrepareOptions,
  context: Pick<OpenContext, 'load'>,
  deps: ModelActivitiesDeps,
  scripts: ScriptReader,
): Promise<PreparedCall> {
  const { settings, tools } = deps;
  const { idleTimeoutMs, stepTimeoutMs } = { ...defaultModelTimeouts, ...deps.timeouts };
  const { provider, model, effort } = requireModelReference(options.input.model);
  if (provider === 'scripted') return await prepareScriptedCall(model, { scripts, idleTimeoutMs }, options);
  const answerTokens = options.summaryTokens ?? deps.maxOutputTokens ?? defaultAnswerTokens;
  const ownPrices = (await deps.ownPrices?.()) ?? {};
  const offered = options.summaryTokens === undefined ? toolsFor(options.input, tools, await context.load()) : [];
  return await prepareRemoteCall(
    { provider, model, effort },
    { settings, tools: offered, answerTokens, idleTimeoutMs, stepTimeoutMs, ownPrices },
    options,
  );
}

async function sayStarted(
  store: ModelActivitiesDeps['store'],
  input: ModelStepInput,
  key: string,
  label = 'thinking…',
): Promise<void> {
  const { runId, storyId, attempt, step } = input;
  const body = { ...whoseStep(input.sessionId), step, label };
  await store.appendRunEvents(runId, [{ key: `${key}:start`, kind: 'step-started', storyId, attempt, body }]);
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
        {
          key: `${key}:out:${tryNumber}-${number}`,
          kind: 'step-output',
          storyId,
          attempt,
          body: { ...whoseStep(input.sessionId), step, line },
        },
      ]),
  });
  try {
    return await sendOrRelease(call, { maxOutputTokens, signal, onText: lines.add }, { store, key });
  } finally {
    await lines.end();
  }
}

/** Gives the reservation back when the call has failed without a price. */
async function sendOrRelease(
  call: PreparedCall,
  options: Omit<SendOptions, 'onText'> & Partial<SendOptions>,
  { store, key }: Pick<SendContext, 'store' | 'key'>,
): Promise<ProviderAnswer> {
  try {
    return await call.send({ onText: () => undefined, ...options });
  } catch (error) {
    if (costNothing(error)) await store.releaseModelCall(key);
    throw error;
  }
}

function toolCallIds(session: readonly SessionEvent[]): ReadonlySet<string> {
  return new Set(
    session.flatMap((event) => (event.kind === 'assistant' ? event.body.toolCalls.map((call) => call.id) : [])),
  );
}
