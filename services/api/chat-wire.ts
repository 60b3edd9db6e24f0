/** Between the wire format of OpenAI and a chat of ours. */
import type { ChatQuestion } from '../../activities/model/chat.ts';
import type { CallWishes, ToolDefinition } from '../../activities/model/provider-call.ts';
import type { ChatAnswer, ChatCompletion, ChatMessage, ChatRequest, ChatUsage } from '../../domain/contracts/openai.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { parseModelReference } from '../../domain/model/reference.ts';
import type { SaidRow } from '../../domain/session/transcript.ts';

/** @throws `request-invalid` where results do not follow their calls */
export function toQuestion(request: ChatRequest): ChatQuestion {
  const tools = request.tools ?? [];
  return {
    model: withEffort(request),
    rows: toRows(request.messages),
    tools: request.tool_choice === 'none' ? [] : tools.map(toDefinition),
    wishes: toWishes(request),
    maxOutputTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    mostCalls: request.parallel_tool_calls === false ? 1 : 128,
  };
}

function withEffort({ model, reasoning_effort: asked }: ChatRequest): string {
  const reference = parseModelReference(model);
  if (asked === null || asked === undefined || reference === null || reference.effort !== null) return model;
  return reference.provider === 'scripted' ? model : `${model}:${asked === 'xhigh' ? 'max' : asked}`;
}

function toDefinition({ function: { name, description, parameters } }: NonNullable<ChatRequest['tools']>[number]) {
  const inputSchema = parameters ?? { type: 'object', properties: {} };
  return { name, description: description ?? '', inputSchema, risk: 'read' } satisfies ToolDefinition;
}

function toWishes(request: ChatRequest): CallWishes {
  const { temperature, top_p, presence_penalty, frequency_penalty, seed, stop, tool_choice, response_format } = request;
  return {
    ...(temperature === null || temperature === undefined ? {} : { temperature }),
    ...(top_p === null || top_p === undefined ? {} : { topP: top_p }),
    ...(presence_penalty === null || presence_penalty === undefined ? {} : { presencePenalty: presence_penalty }),
    ...(frequency_penalty === null || frequency_penalty === undefined ? {} : { frequencyPenalty: frequency_penalty }),
    ...(seed === null || seed === undefined ? {} : { seed }),
    ...(stop === null || stop === undefined ? {} : { stopSequences: [stop].flat() }),
    ...(tool_choice === null || tool_choice === undefined || tool_choice === 'none'
      ? {}
      : { toolChoice: typeof tool_choice === 'string' ? tool_choice : toToolChoice(tool_choice.function.name) }),
    ...toJsonWish(response_format),
  };
}

function toToolChoice(toolName: string) {
  return { type: 'tool', toolName } as const;
}

function toJsonWish(format: ChatRequest['response_format']): Pick<CallWishes, 'json'> {
  if (format?.type === 'json_object') return { json: {} };
  if (format?.type !== 'json_schema') return {};
  const { name, description, schema } = format.json_schema;
  return { json: { name, schema, ...(typeof description === 'string' ? { description } : {}) } };
}

function toRows(messages: readonly ChatMessage[]): readonly SaidRow[] {
  const rows: SaidRow[] = [];
  /** Calls of the answer before that have no result yet, by id. */
  const open = new Map<string, string>();
  for (const [index, message] of messages.entries()) {
    const place = `messages.${index}`;
    const seq = index + 1;
    if (message.role === 'tool') {
      const tool = open.get(message.tool_call_id);
      if (tool === undefined)
        throw wrong(`${place}.tool_call_id`, 'expected the id of a call in the assistant message before');
      open.delete(message.tool_call_id);
      const output = textOf(message.content);
      rows.push({ seq, kind: 'tool-result', body: { callId: message.tool_call_id, tool, ok: true, output } });
      continue;
    }
    requireResults(open, place);
    if (message.role !== 'assistant') {
      rows.push({ seq, kind: message.role === 'user' ? 'user' : 'system', body: { text: textOf(message.content) } });
      continue;
    }
    const toolCalls = (message.tool_calls ?? []).map(({ id, function: called }) => {
      open.set(id, called.name);
      return { id, name: called.name, args: parsedArguments(called.arguments) };
    });
    rows.push({ seq, kind: 'assistant', body: { text: textOf(message.content ?? ''), toolCalls } });
  }
  requireResults(open, `messages.${messages.length - 1}`);
  return rows;
}

function requireResults(open: ReadonlyMap<string, string>, place: string): void {
  const [id] = open.keys();
  if (id !== undefined) throw wrong(place, `expected the result of the call ${id} (role tool) before this`);
}

function wrong(place: string, expected: string): CodetetherError {
  return new CodetetherError('request-invalid', undefined, { problems: [`${place}: ${expected}`] });
}

function textOf(content: NonNullable<ChatMessage['content']>): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('');
}

/** A model's arguments that are no JSON go back to it as it wrote them. */
function parsedArguments(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    return text;
  }
}

/** What stands in each message of one answer. */
export interface Envelope {
  readonly id: string;
  /** As it was asked for. */
  readonly model: string;
}

export function toCompletion({ id, model }: Envelope, answer: ChatAnswer): ChatCompletion {
  return {
    id,
    object: 'chat.completion',
    created: answer.created,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text === '' && answer.toolCalls.length > 0 ? null : answer.text,
          refusal: null,
          ...(answer.toolCalls.length === 0 ? {} : { tool_calls: [...answer.toolCalls] }),
        },
        logprobs: null,
        finish_reason: answer.finish,
      },
    ],
    usage: toUsage(answer),
  };
}

function toUsage({ usage }: ChatAnswer): ChatUsage {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
    cost_usd: usage.costUsd,
  };
}

/** The chunks of one streamed answer, as lines of an event stream. */
export function createChunks({ id, model }: Envelope, options: { readonly hasUsage: boolean }) {
  const created = Math.floor(Date.now() / 1000);
  const line = (choices: readonly object[], usage: ChatUsage | null = null): string => {
    const chunk = { id, object: 'chat.completion.chunk', created, model, choices };
    return `data: ${JSON.stringify(options.hasUsage ? { ...chunk, usage } : chunk)}\n\n`;
  };
  const delta = (part: object, finish: ChatAnswer['finish'] | null = null): string =>
    line([{ index: 0, delta: part, logprobs: null, finish_reason: finish }]);
  return {
    opening: () => delta({ role: 'assistant', content: '' }),
    text: (content: string) => delta({ content }),
    /** All after the text. */
    end: (answer: ChatAnswer) =>
      [
        ...(answer.toolCalls.length === 0
          ? []
          : [delta({ tool_calls: answer.toolCalls.map((call, index) => ({ index, ...call })) })]),
        delta({}, answer.finish),
        ...(options.hasUsage ? [line([], toUsage(answer))] : []),
        'data: [DONE]\n\n',
      ].join(''),
  };
}
