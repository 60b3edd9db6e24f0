import type { LanguageModel } from 'ai';
import { priceOf, pricesAsOf } from '../../domain/model/prices.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';
import type { RemoteProvider } from '../../domain/model/providers.ts';
import type { ModelReference } from '../../domain/model/reference.ts';
import { estimateTokens, mostInputTokens } from '../../domain/model/tokens.ts';
import { answerTokensWithin, windowTokens } from '../../domain/model/windows.ts';
import { totalTokens } from '../../domain/run/budget.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { toConversation } from './messages.ts';
import { asTexts, getsToolsAsText, toolsPrompt, withTextCalls } from './text-tools.ts';
import type { CallWishes, PreparedCall, PrepareOptions, ToolDefinition } from './provider-call.ts';
import { effortOptions, outputTokensWithThinking } from './reasoning.ts';
import { sendBySdk } from './sdk-call.ts';
import { providerAccess } from './settings.ts';
import type { ModelSettings, ProviderAccess } from './settings.ts';

export interface RemoteOptions {
  readonly settings: ModelSettings;
  readonly tools: readonly ToolDefinition[];
  /** Room for the answer, without thinking. */
  readonly answerTokens: number;
  readonly idleTimeoutMs: number;
  readonly stepTimeoutMs: number;
  /** The user's own; they come before the table's. */
  readonly ownPrices: OwnPrices;
  readonly wishes?: CallWishes;
}

/** A reserve below that is not worth a call. */
const smallestAnswerTokens = 256;

/** Prepares a call of a provider that is reached over HTTP. Loads no SDK before the call is sent. */
export async function prepareRemoteCall(
  reference: ModelReference & { readonly provider: RemoteProvider },
  { settings, tools, answerTokens, idleTimeoutMs, stepTimeoutMs, ownPrices, wishes = {} }: RemoteOptions,
  { readContext, lastUsage }: Pick<PrepareOptions, 'readContext' | 'lastUsage'>,
): Promise<PreparedCall> {
  const access = providerAccess(reference.provider, settings);
  const model = `${reference.provider}/${reference.model}`;
  const isText = getsToolsAsText(model, settings.textToolModels);
  const prompt = isText && tools.length > 0 ? toolsPrompt(tools) : '';
  const toolBytes = tools.length === 0 ? 0 : Buffer.byteLength(isText ? prompt : JSON.stringify(tools));
  const contextTokens = windowTokens(reference, ownPrices);
  const maxOutputTokens = answerTokensWithin(contextTokens, outputTokensWithThinking(reference, answerTokens));
  const window = { model, contextTokens, reservedTokens: maxOutputTokens + estimateTokens(toolBytes) };
  const [{ messages, since }, counted] = await Promise.all([readContext(window), lastUsage()]);
  const said = toConversation(isText ? asTexts(messages) : messages, model);
  const conversation = prompt === '' ? said : { ...said, instructions: `${said.instructions}\n\n${prompt}` };
  const price = priceOf(reference, ownPrices);
  const isThinkingHard = reference.effort === 'high' || reference.effort === 'max';
  return {
    inputTokens: estimateTokens(conversation.bytes + toolBytes),
    mostInputTokens: mostInputTokens(
      { bytes: conversation.bytes + toolBytes, rows: messages.length + tools.length },
      counted === undefined || since === undefined
        ? undefined
        : { countedTokens: totalTokens(counted), ...sizeOf(since) },
    ),
    maxOutputTokens,
    minOutputTokens: smallestAnswerTokens,
    price,
    warnings: price.source === 'default' ? [unknownPrice(model, price.inputUsd, price.outputUsd)] : [],
    send: async (options) => {
      const answer = await sendBySdk(
        {
          conversation,
          tools: isText ? [] : tools,
          wishes,
          effort: effortOptions(reference, options.maxOutputTokens),
          // Some providers send nothing at all while the model thinks.
          idleTimeoutMs: isThinkingHard ? idleTimeoutMs * 5 : idleTimeoutMs,
          stepTimeoutMs,
          openModel: (fetch) => openModel(reference.model, access, fetch),
          described: {
            provider: access.provider,
            model,
            baseUrl: access.baseUrl,
            secrets: [access.apiKey ?? '', URL.parse(access.baseUrl)?.password ?? ''],
          },
        },
        options,
      );
      if (isText) return withTextCalls(answer, { form: 'told', tools });
      // Servers of open models now and then pass on a call as it was written.
      return reference.provider === 'openai-compatible' ? withTextCalls(answer, { form: 'untold', tools }) : answer;
    },
  };
}

function sizeOf(rows: readonly SessionEvent[]): { readonly bytes: number; readonly rows: number } {
  return { bytes: Buffer.byteLength(JSON.stringify(rows)), rows: rows.length };
}

function unknownPrice(model: string, inputUsd: number, outputUsd: number) {
  const message = `no price known for ${model} (list of ${pricesAsOf}); its tokens are counted at $${inputUsd} in and $${outputUsd} out per million`;
  return { about: 'price', message };
}

/** Key and address are always given, so that the SDK does not look into the environment by itself. */
async function openModel(
  model: string,
  { provider, baseUrl, apiKey = '' }: ProviderAccess,
  fetch: typeof globalThis.fetch,
): Promise<LanguageModel> {
  switch (provider) {
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic({ apiKey, baseURL: baseUrl, fetch })(model);
    }
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      return createOpenAI({ apiKey, baseURL: baseUrl, fetch }).responses(model);
    }
    case 'google': {
      const { createGoogleGenerativeAI } = await import('@ai-sdk/google');
      return createGoogleGenerativeAI({ apiKey, baseURL: baseUrl, fetch })(model);
    }
    case 'openai-compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const key = apiKey === '' ? {} : { apiKey };
      const open = createOpenAICompatible({ name: 'compatible', baseURL: baseUrl, fetch, includeUsage: true, ...key });
      return open(model);
    }
  }
}
