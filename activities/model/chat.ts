import type { ChatAnswer } from '../../domain/contracts/openai.ts';
import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import type { ChatCallAnswer, ChatStore, ModelCallStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';
import type { Usage } from '../../domain/run/budget.ts';
import type { ModelTimeouts } from '../../domain/model/timeouts.ts';
import type { SaidRow } from '../../domain/session/transcript.ts';
import { problemOf, usageOfAnswer } from './answer.ts';
import type { AnswerSpool } from './answer-spool.ts';
import { costNothing } from './call-failure.ts';
import { requireModelReference } from './check-model.ts';
import type { CallWishes, PreparedCall, ProviderAnswer, ToolDefinition } from './provider-call.ts';
import { prepareRemoteCall } from './providers.ts';
import { defaultAnswerTokens } from './reasoning.ts';
import { reserve } from './reservation.ts';
import { createScriptReader } from './script-file.ts';
import { prepareScriptedCall } from './scripted.ts';
import type { ModelSettings } from './settings.ts';
import { getsToolsAsText } from './text-tools.ts';
import { untilStored } from './until-stored.ts';

export interface ChatMeans {
  readonly store: Pick<ChatStore, 'getChatCall' | 'answerChatCall'> &
    Pick<ModelCallStore, 'reserveModelCall' | 'budget' | 'releaseModelCall'>;
  readonly spool: AnswerSpool<ChatCallAnswer>;
  readonly settings: ModelSettings;
  readonly ownPrices: () => Promise<OwnPrices>;
  readonly timeouts: ModelTimeouts;
}

/** One question to a model, with all that was said before. */
export interface ChatQuestion {
  /** `provider/model[:effort]`. */
  readonly model: string;
  /** Each call is followed by its result. */
  readonly rows: readonly SaidRow[];
  readonly tools: readonly ToolDefinition[];
  readonly wishes: CallWishes;
  /** Thinking counts; undefined: as much as an agent's step. */
  readonly maxOutputTokens: number | undefined;
  /** Calls of one answer. */
  readonly mostCalls: number;
}

export interface ChatOptions {
  /** The run that pays. */
  readonly runId: string;
  /** The same for each time that the question comes again. */
  readonly key: string;
  /** It may come again: its answer is kept. */
  readonly isKept: boolean;
  /** Whoever asks is gone: the provider's call ends. */
  readonly signal: AbortSignal;
  /** Gets the text as it comes; not called for an answer that is given again. */
  readonly onText: (delta: string) => void;
}

export interface GivenAnswer {
  readonly answer: ChatAnswer;
  /** It was given before. */
  readonly isRepeated: boolean;
}

export type Chat = (question: ChatQuestion, options: ChatOptions) => Promise<GivenAnswer>;

/** Stands where work on a PRD has the id of a story; also in scripts. */
const chatStory = 'chat';

/**
 * Asks a model once for each key: the call is in the store before it begins, with the most that it can cost, and an answer that
 * was stored, or received by a process of this host that has died since, is given again. What was cut off is paid as far as it came, and asked
 * for anew when it comes again. Throws `provider-*`, `budget-exceeded`, `model-unknown`, `provider-key-missing`, `script-*`; the signal's
 * reason when that aborts.
 */
export function createChat(means: ChatMeans): Chat {
  const { store, spool } = means;
  const scripts = createScriptReader();

  return async (question, { runId, key, isKept, signal, onText }) => {
    for (let time = 1; ; time++) {
      const ownKey = `${key}:${time}`;
      const received = await spool.read(ownKey);
      if (received !== undefined) await keep(received);
      const known = await store.getChatCall(ownKey);
      if (known === undefined || known === 'reserved') {
        const answer = await ask(question, { runId, key: ownKey, isKept, signal, onText });
        if (answer !== undefined) return { answer, isRepeated: false };
        time--;
      } else if (known.chat !== undefined) return { answer: known.chat, isRepeated: true };
    }
  };

  /** @returns undefined when somebody else has stored an answer meanwhile */
  async function ask(
    question: ChatQuestion,
    { runId, key, isKept, signal, onText }: ChatOptions,
  ): Promise<ChatAnswer | undefined> {
    const input: ModelStepInput = {
      runId,
      storyId: chatStory,
      sessionId: runId,
      attempt: 1,
      step: 1 + question.rows.filter(({ kind }) => kind === 'assistant').length,
      model: question.model,
    };
    const call = await prepare(question, input);
    signal.throwIfAborted();
    const reserved = await reserve(call, { store, input, key, signal });
    if (reserved.kind === 'budget-exceeded')
      throw new CodetetherError('budget-exceeded', `no more can be spent today: ${reserved.budget} is reached`, {
        next: 'Wait for the next day (UTC), or raise CODETETHER_MAX_CHAT_COST_USD.',
      });
    if (reserved.kind !== 'reserved') return undefined;
    let said = '';
    const hear = (delta: string): void => {
      said += delta;
      onText(delta);
    };
    let raw: ProviderAnswer;
    try {
      raw = await call.send({ maxOutputTokens: reserved.maxOutputTokens, signal, onText: hear });
    } catch (error) {
      if (costNothing(error)) await store.releaseModelCall(key);
      else await keep(paidCall(usageOfAnswer(cutAnswer(said), call), { input, key }));
      throw error;
    }
    const problem = problemOf(raw);
    const isUseless = problem !== undefined && raw.finish !== 'content-filter';
    const answer = toAnswer(raw, { step: input.step, usage: usageOfAnswer(raw, call), mostCalls: question.mostCalls });
    const paid = { ...paidCall(answer.usage, { input, key }), ...(isKept && !isUseless ? { chat: answer } : {}) };
    await spool.write(paid);
    await keep(paid);
    if (isUseless)
      throw new CodetetherError('answers-unusable', `the answer of ${question.model} is of no use: ${problem}`);
    return answer;
  }

  async function keep(answer: ChatCallAnswer): Promise<void> {
    await untilStored(() => store.answerChatCall(answer), new AbortController().signal);
    await spool.remove(answer.key);
  }

  async function prepare(question: ChatQuestion, input: ModelStepInput): Promise<PreparedCall> {
    const { rows, tools, wishes, maxOutputTokens: asked } = question;
    const { provider, model, effort } = requireModelReference(question.model);
    const options = {
      input,
      readContext: async () => ({ messages: rows, since: undefined }),
      lastUsage: async () => undefined,
      tryNumber: 1,
    };
    const { settings, timeouts } = means;
    if (provider === 'scripted')
      return await prepareScriptedCall(model, { scripts, idleTimeoutMs: timeouts.idleTimeoutMs }, options);
    const ownPrices = await means.ownPrices();
    const answerTokens = asked ?? defaultAnswerTokens;
    const call = await prepareRemoteCall(
      { provider, model, effort },
      { settings, tools, answerTokens, ownPrices, wishes, ...timeouts },
      options,
    );
    const maxOutputTokens = Math.min(call.maxOutputTokens, asked ?? call.maxOutputTokens);
    const bounded = { ...call, maxOutputTokens, minOutputTokens: Math.min(call.minOutputTokens, maxOutputTokens) };
    return getsToolsAsText(`${provider}/${model}`, settings.textToolModels) && tools.length > 0
      ? withoutPieces(bounded)
      : bounded;
  }
}

/** The calls of such a model stand in its text: no piece of it is shown before they are read. */
function withoutPieces(call: PreparedCall): PreparedCall {
  return { ...call, send: async (options) => await call.send({ ...options, onText: () => undefined }) };
}

function cutAnswer(text: string): ProviderAnswer {
  return { content: [{ type: 'text', text }], finish: 'done', tokens: undefined };
}

/** What a call has used, without its answer. */
function paidCall(
  usage: Usage,
  { input, key }: { readonly input: ModelStepInput; readonly key: string },
): ChatCallAnswer {
  const { runId, storyId, sessionId, model } = input;
  const result = { kind: 'answered', stop: 'finished', toolCalls: [], usage } as const;
  return { key, runId, storyId, sessionId, model, result };
}

function toAnswer(
  raw: ProviderAnswer,
  { step, usage, mostCalls }: { readonly step: number; readonly usage: Usage; readonly mostCalls: number },
): ChatAnswer {
  const toolCalls = raw.content
    .flatMap((part) => (part.type === 'tool-call' && raw.finish !== 'content-filter' ? [part] : []))
    .filter(({ isComplete }) => isComplete)
    .slice(0, mostCalls)
    .map(({ id, name, args }, index) => ({
      id: id === '' ? `call_${step}_${index + 1}` : id,
      type: 'function' as const,
      function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) },
    }));
  return {
    text: raw.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join(''),
    toolCalls,
    finish: finishOf(raw, toolCalls.length > 0),
    usage,
    created: Math.floor(Date.now() / 1000),
  };
}

function finishOf({ finish }: ProviderAnswer, hasCalls: boolean): ChatAnswer['finish'] {
  if (finish === 'content-filter') return 'content_filter';
  if (finish === 'length') return 'length';
  return hasCalls ? 'tool_calls' : 'stop';
}
