import type { ModelStepInput, ModelStepResult, ToolCallRef } from '../../domain/contracts/activities.ts';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';
import { costUsd } from '../../domain/model/prices.ts';
import { parseModelReference } from '../../domain/model/reference.ts';
import { estimateTokens } from '../../domain/model/tokens.ts';
import type { Usage } from '../../domain/run/budget.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import { whoseStep } from '../../domain/run/ids.ts';
import type { AnswerProblem } from '../../domain/session/answer-problems.ts';
import type { RequestedToolCall } from '../../domain/session/transcript.ts';
import { isWorthKeeping } from './answer-parts.ts';
import type { AnswerPart } from './answer-parts.ts';
import type { PreparedCall, ProviderAnswer, ToolCatalogue } from './provider-call.ts';
import { oneLine } from './output-lines.ts';

/** More calls in one answer are not run: a model that asks for them has lost its way. */
const mostToolCalls = 64;

export interface AnswerContext {
  readonly input: ModelStepInput;
  /** {@link modelCallKey} of the step. */
  readonly key: string;
  readonly call: PreparedCall;
  /** Ids that the session's tool calls have so far. */
  readonly usedIds: ReadonlySet<string>;
  readonly isPlanning: boolean;
  readonly describe: ToolCatalogue['describe'];
  readonly durationMs: number;
  /** Of {@link problemOf}. */
  readonly problem?: ModelAnswered['problem'];
}

type ModelAnswered = ModelStepResult & { readonly kind: 'answered' };

/** What is to be stored of an answer, and what the workflow is told of it. */
export function toModelCallAnswer(raw: ProviderAnswer, context: AnswerContext): ModelCallAnswer {
  const { input, key, call, problem } = context;
  const { text, calls, parts, dropped } = takeApart(raw, context);
  const usage = usageOfAnswer(raw, call);
  const toolCalls = toolCallRefs(calls, context.describe);
  const result: ModelAnswered = {
    kind: 'answered',
    stop: stopOf(raw, calls),
    toolCalls,
    usage,
    ...(problem === undefined ? {} : { problem }),
    ...(context.isPlanning ? { isPlanning: true } : {}),
  };
  const model = modelName(input.model);
  const place = { storyId: input.storyId, attempt: input.attempt };
  return {
    key,
    runId: input.runId,
    storyId: input.storyId,
    sessionId: input.sessionId,
    model: input.model,
    result,
    sessionEvent: {
      key: `${key}:answer`,
      kind: 'assistant',
      body: {
        text,
        toolCalls: calls,
        ...(isWorthKeeping(parts) ? { providerOptions: { model, parts } } : {}),
        ...(problem === undefined ? {} : { problem: problem.kind }),
      },
    },
    runEvents: [
      ...warnings(raw, context, dropped),
      {
        key: `${key}:answered`,
        kind: 'model-answered',
        ...place,
        body: {
          ...whoseStep(input.sessionId),
          step: input.step,
          inputTokens: usage.inputTokens,
          outputTokens: usage.outputTokens,
          costUsd: usage.costUsd,
          durationMs: Math.round(context.durationMs),
          text: preview(text),
          toolCalls: toolCalls.map((toolCall) => toolCall.label),
        },
      },
    ],
  };
}

/** Why nothing can be done with the answer; undefined when something can. */
export function problemOf({ content, finish }: ProviderAnswer): AnswerProblem | undefined {
  const calls = finish === 'content-filter' ? [] : content.filter((part) => part.type === 'tool-call');
  if (calls.some(({ isComplete }) => isComplete)) return undefined;
  if (calls.length > 0) return finish === 'length' ? 'cut-off' : 'malformed';
  if (content.some((part) => part.type === 'text' && part.text.trim() !== '')) return undefined;
  return finish === 'length' ? 'cut-off' : 'empty';
}

/** What the provider has counted, else an estimate. */
export function usageOfAnswer(raw: ProviderAnswer, call: Pick<PreparedCall, 'inputTokens' | 'price'>): Usage {
  const tokens = raw.tokens ?? {
    inputTokens: call.inputTokens,
    cachedInputTokens: 0,
    outputTokens: estimateTokens(Buffer.byteLength(JSON.stringify(raw.content))),
  };
  return {
    inputTokens: tokens.inputTokens,
    outputTokens: tokens.outputTokens,
    cachedInputTokens: tokens.cachedInputTokens,
    costUsd: costUsd(tokens, call.price),
  };
}

interface TakenApart {
  readonly text: string;
  readonly calls: RequestedToolCall[];
  readonly parts: AnswerPart[];
  /** Calls beyond {@link mostToolCalls}. */
  readonly dropped: number;
}

function takeApart({ content, finish }: ProviderAnswer, { input, usedIds }: AnswerContext): TakenApart {
  const texts: string[] = [];
  const calls: RequestedToolCall[] = [];
  const parts: AnswerPart[] = [];
  const taken = new Set(usedIds);
  let dropped = 0;
  for (const part of content) {
    const options = part.options === undefined ? {} : { options: part.options };
    if (part.type !== 'tool-call') {
      if (part.type === 'text') texts.push(part.text);
      parts.push({ type: part.type, text: part.text, ...options });
      continue;
    }
    // What stopped the answer stopped it inside this call, or forbids to act on it.
    if (finish === 'content-filter' || (finish === 'length' && !part.isComplete)) continue;
    if (calls.length === mostToolCalls) {
      dropped++;
      continue;
    }
    const id = usableId(part.id, taken) ? part.id : freeId(input.step, calls.length + 1, taken);
    taken.add(id);
    calls.push({ id, name: usableName(part.name), args: part.args });
    parts.push({ type: 'tool-call', id, ...options });
  }
  return { text: texts.join(''), calls, parts, dropped };
}

/** The name goes back to the provider with the next call; one that no tool can have would be refused then. */
function usableName(name: string): string {
  const plain = name.replace(/[^\w-]+/g, '_').slice(0, 64);
  return /^[A-Za-z_]/.test(plain) ? plain : `_${plain}`.slice(0, 64);
}

/** Some servers repeat their ids in every answer, or give none; long ones do not fit into payloads. */
function usableId(id: string, taken: ReadonlySet<string>): boolean {
  return /^[\w-]{1,48}$/.test(id) && !taken.has(id);
}

function freeId(step: number, position: number, taken: ReadonlySet<string>): string {
  let id = `${step}-${position}`;
  while (taken.has(id)) id += 'x';
  return id;
}

function stopOf({ finish }: ProviderAnswer, calls: readonly unknown[]): 'tool-calls' | 'finished' | 'length' {
  if (finish === 'length') return 'length';
  return calls.length > 0 ? 'tool-calls' : 'finished';
}

/** Bytes that the calls may take in the activity's result, of 16 KB for all of it. */
const mostRefBytes = 12_000;

function toolCallRefs(calls: readonly RequestedToolCall[], describe: ToolCatalogue['describe']): ToolCallRef[] {
  const refs = calls.map(({ id, name, args }) => ({ id, name, ...describe(name, args) }));
  for (const length of [100, 50, 20]) {
    const shortened = refs.map((ref) => ({ ...ref, label: ref.label.slice(0, length) }));
    if (Buffer.byteLength(JSON.stringify(shortened)) <= mostRefBytes) return shortened;
  }
  return refs.map((ref) => ({ ...ref, name: ref.name.slice(0, 20), label: ref.name.slice(0, 20) }));
}

function warnings(raw: ProviderAnswer, { input, key, call }: AnswerContext, dropped: number): NewRunEvent[] {
  const model = modelName(input.model);
  const place = { storyId: input.storyId, attempt: input.attempt };
  const events: NewRunEvent[] = call.warnings.map(({ about, message }) => ({
    key: `${input.runId}:${model}:${about}`,
    kind: 'warning',
    body: { message },
  }));
  if (raw.tokens === undefined)
    events.push({
      key: `${input.runId}:${model}:usage`,
      kind: 'warning',
      body: { message: `${model} reports no usage; its tokens and cost are estimates` },
    });
  if (dropped > 0)
    events.push({
      key: `${key}:dropped`,
      kind: 'warning',
      ...place,
      body: {
        message: `the model asked for ${mostToolCalls + dropped} tool calls at once; only ${mostToolCalls} are run`,
      },
    });
  if (raw.finish === 'content-filter')
    events.push({
      key: `${key}:filtered`,
      kind: 'warning',
      ...place,
      body: { message: "the provider's content filter stopped the answer" },
    });
  return events;
}

function modelName(reference: string): string {
  const parsed = parseModelReference(reference);
  return parsed === null ? reference : `${parsed.provider}/${parsed.model}`;
}

function preview(text: string): string {
  const line = oneLine(text);
  return line.length <= 300 ? line : `${line.slice(0, 299)}…`;
}
