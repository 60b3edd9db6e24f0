import type { LanguageModel, StepResult, ToolSet } from 'ai';
import { CodetetherError } from '../../domain/errors.ts';
import type { TokenCounts } from '../../domain/model/prices.ts';
import { partOptions } from './answer-parts.ts';
import { callFailure, toCallFailure } from './call-failure.ts';
import type { CallState } from './call-failure.ts';
import { startIdleTimer } from './idle-timer.ts';
import type { Conversation } from './messages.ts';
import type { AnsweredPart, CallWishes, ProviderAnswer, SendOptions, ToolDefinition } from './provider-call.ts';
import type { EffortOptions } from './reasoning.ts';
import { watchedTransport } from './transport.ts';

export interface SdkCall {
  readonly conversation: Conversation;
  readonly tools: readonly ToolDefinition[];
  readonly wishes: CallWishes;
  readonly effort: EffortOptions;
  /** Nothing over the wire for that long ends the call. */
  readonly idleTimeoutMs: number;
  /** The whole call; ends it, however much has come. */
  readonly stepTimeoutMs: number;
  readonly openModel: (fetch: typeof globalThis.fetch) => Promise<LanguageModel>;
  /** For messages. */
  readonly described: Pick<CallState, 'provider' | 'model' | 'baseUrl' | 'secrets'>;
}

/** Sends one request and reads the answer to its end; see {@link PreparedCall.send} for what it throws. */
export async function sendBySdk(call: SdkCall, options: SendOptions): Promise<ProviderAnswer> {
  const { streamText, jsonSchema, tool, Output } = await loadSdk();
  const idle = startIdleTimer(call.idleTimeoutMs, options.signal);
  // Never touched: it measures the whole call.
  const clock = startIdleTimer(call.stepTimeoutMs, idle.signal);
  const ended = new AbortController();
  const transport = watchedTransport(call.described.provider, idle.touch);
  let receivedOutput = false;
  try {
    options.signal.throwIfAborted();
    const tools: ToolSet = {};
    for (const definition of call.tools)
      tools[definition.name] = tool({
        description: definition.description,
        inputSchema: jsonSchema(definition.inputSchema),
      });
    const { json, toolChoice, ...sampling } = call.wishes;
    const result = streamText({
      ...sampling,
      ...(toolChoice === undefined || call.tools.length === 0 ? {} : { toolChoice }),
      ...(json === undefined ? {} : { output: jsonOutput(json) }),
      model: await call.openModel(transport.fetch),
      instructions: call.conversation.instructions,
      messages: call.conversation.messages,
      tools,
      maxRetries: 0,
      maxOutputTokens: call.effort.maxOutputTokens,
      ...(call.effort.reasoning === undefined ? {} : { reasoning: call.effort.reasoning }),
      providerOptions: call.effort.providerOptions,
      abortSignal: AbortSignal.any([clock.signal, ended.signal]),
      // Errors come as parts of the stream as well; without this the SDK prints them.
      onError: () => undefined,
    });
    for await (const part of result.stream) {
      if (part.type === 'error') throw part.error;
      if (part.type === 'text-delta') options.onText(part.text);
      if (isOutput(part.type)) receivedOutput = true;
    }
    clock.signal.throwIfAborted();
    return wholeAnswer(await result.finalStep);
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    const { accepted, receivedBytes } = transport.seen;
    if (clock.isIdle()) throw tooSlow(call);
    if (idle.isIdle()) throw tooQuiet(call, accepted);
    throw toCallFailure(error, { ...call.described, accepted, receivedBytes, receivedOutput, nowMs: Date.now() });
  } finally {
    idle.stop();
    clock.stop();
    ended.abort();
  }

  /** Says to the provider what is wanted; what comes is passed on as it is. */
  function jsonOutput({ schema, ...named }: NonNullable<CallWishes['json']>) {
    return schema === undefined ? Output.json(named) : Output.object({ schema: jsonSchema(schema), ...named });
  }
}

async function loadSdk() {
  const sdk = await import('ai');
  // The SDK would print about settings that a model ignores, into the worker's log, on every call.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  return sdk;
}

function isOutput(type: string): boolean {
  return type === 'text-delta' || type === 'reasoning-delta' || type === 'tool-input-start' || type === 'tool-call';
}

function tooQuiet(call: SdkCall, accepted: boolean): CodetetherError {
  const seconds = Math.round(call.idleTimeoutMs / 1000);
  const where = accepted ? 'in the middle of its answer' : 'before its answer began';
  return callFailure('provider-silent', `${call.described.provider} was silent for ${seconds} s ${where}`, {
    provider: call.described.provider,
    mayHaveCost: true,
    ...(accepted ? { isLost: true } : {}),
  });
}

function tooSlow(call: SdkCall): CodetetherError {
  const seconds = Math.round(call.stepTimeoutMs / 1000);
  return callFailure('provider-timeout', `${call.described.model} did not finish its answer in ${seconds} s`, {
    provider: call.described.provider,
    mayHaveCost: true,
    isLost: true,
  });
}

/** Throws when the provider never said that the answer is finished: the connection was cut. */
function wholeAnswer(step: StepResult<ToolSet>): ProviderAnswer {
  const { finishReason, rawFinishReason } = step;
  const isCut =
    finishReason === 'error' ||
    finishReason === 'interrupted' ||
    (finishReason === 'other' && rawFinishReason === undefined);
  if (isCut) throw new Error(`it ended without being finished${rawFinishReason ? ` (${rawFinishReason})` : ''}`);
  return {
    content: step.content.flatMap(toAnsweredPart),
    finish: finishReason === 'length' || finishReason === 'content-filter' ? finishReason : 'done',
    tokens: toTokenCounts(step.usage),
  };
}

/** Only what may go back to the model: no sources, files or results of tools that the provider runs itself. */
function toAnsweredPart(part: StepResult<ToolSet>['content'][number]): AnsweredPart[] {
  if (part.type === 'text' || part.type === 'reasoning')
    return [{ type: part.type, text: part.text, options: partOptions(part.providerMetadata) }];
  if (part.type !== 'tool-call' || part.providerExecuted === true) return [];
  return [
    {
      type: 'tool-call',
      id: part.toolCallId,
      name: part.toolName,
      args: part.input ?? {},
      isComplete: part.invalid !== true || typeof part.input !== 'string',
      options: partOptions(part.providerMetadata),
    },
  ];
}

/** A provider that reports zero input reports nothing. */
function toTokenCounts(usage: StepResult<ToolSet>['usage']): TokenCounts | undefined {
  if (usage.inputTokens === undefined || usage.outputTokens === undefined || usage.inputTokens === 0) return undefined;
  return {
    inputTokens: usage.inputTokens,
    cachedInputTokens: usage.inputTokenDetails.cacheReadTokens ?? 0,
    cacheWriteTokens: usage.inputTokenDetails.cacheWriteTokens ?? 0,
    outputTokens: usage.outputTokens,
  };
}
