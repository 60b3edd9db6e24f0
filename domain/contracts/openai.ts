/**
 * `/v1/models` and `/v1/chat/completions` as clients of OpenAI know them: snake_case, errors as `{ error }`. Of others' making, so fields that
 * we do not know are passed over; what would change the answer and cannot be had here is refused.
 */
import { z } from 'zod';
import { modelEfforts } from '../model/reference.ts';

const notTaken = (what: string) => ({ error: `${what} cannot be had here` });

const Part = z.object({ type: z.literal('text'), text: z.string() });
const Content = z.union([z.string(), z.array(Part).min(1)], {
  error: 'expected a text, or parts of type text: images, audio and files are not taken here',
});
const FunctionName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const JsonSchemaObject = z.record(z.string(), z.unknown());

const ChatToolCall = z.object({
  id: z.string().min(1).max(200),
  type: z.literal('function'),
  function: z.object({
    name: FunctionName,
    /** JSON, as text. */
    arguments: z.string(),
  }),
});
export type ChatToolCall = z.infer<typeof ChatToolCall>;

const ChatMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal(['system', 'developer']), content: Content }),
  z.object({ role: z.literal('user'), content: Content }),
  z.object({ role: z.literal('assistant'), content: Content.nullish(), tool_calls: z.array(ChatToolCall).nullish() }),
  z.object({ role: z.literal('tool'), tool_call_id: z.string().min(1).max(200), content: Content }),
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

/** POST /v1/chat/completions */
export const ChatRequest = z.object({
  /** `provider/model[:effort]`. */
  model: z.string().min(1).max(1_000),
  messages: z.array(ChatMessage).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z
    .array(
      z.object({
        type: z.literal('function'),
        function: z.object({
          name: FunctionName,
          description: z.string().nullish(),
          parameters: JsonSchemaObject.nullish(),
        }),
      }),
    )
    .max(128)
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name: FunctionName }) }),
    ])
    .nullish(),
  /** False: one call of an answer at most. */
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({
          name: FunctionName,
          description: z.string().nullish(),
          schema: JsonSchemaObject,
        }),
      }),
    ])
    .nullish(),
  /** Thinking counts. */
  max_completion_tokens: z.number().int().positive().nullish(),
  max_tokens: z.number().int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish(),
  /** Where the model's name says none. */
  reasoning_effort: z.enum([...modelEfforts, 'xhigh']).nullish(),
  n: z.literal(1, notTaken('more than one choice (n)')).nullish(),
  logprobs: z.literal(false, notTaken('logprobs')).nullish(),
  modalities: z.array(z.literal('text', notTaken('another modality than text'))).nullish(),
});
export type ChatRequest = z.output<typeof ChatRequest>;

export const finishReasons = ['stop', 'length', 'tool_calls', 'content_filter'] as const;
const FinishReason = z.enum(finishReasons);

const ChatUsage = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  total_tokens: z.number(),
  prompt_tokens_details: z.object({ cached_tokens: z.number() }),
  /** US dollars; not of OpenAI. */
  cost_usd: z.number(),
});
export type ChatUsage = z.infer<typeof ChatUsage>;

/** Answer of POST /v1/chat/completions without `stream`. */
export const ChatCompletion = z.object({
  id: z.string(),
  object: z.literal('chat.completion'),
  /** Seconds since 1970. */
  created: z.number(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.literal(0),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        refusal: z.null(),
        tool_calls: z.array(ChatToolCall).exactOptional(),
      }),
      logprobs: z.null(),
      finish_reason: FinishReason,
    }),
  ),
  usage: ChatUsage,
});
export type ChatCompletion = z.infer<typeof ChatCompletion>;

/** An answer as it is kept, so that it can be given again. */
export const ChatAnswer = z.object({
  text: z.string(),
  toolCalls: z.array(ChatToolCall),
  finish: FinishReason,
  usage: z.object({
    inputTokens: z.number(),
    outputTokens: z.number(),
    cachedInputTokens: z.number(),
    costUsd: z.number(),
  }),
  /** Seconds since 1970. */
  created: z.number(),
});
export type ChatAnswer = z.infer<typeof ChatAnswer>;

/** Each failure of these routes. */
export const OpenAiError = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string().nullable(),
    param: z.string().nullable(),
  }),
});
export type OpenAiError = z.infer<typeof OpenAiError>;

/** GET /v1/models/:model */
export const ModelView = z.object({
  /** What `model` is given as. */
  id: z.string(),
  object: z.literal('model'),
  created: z.number(),
  /** The provider. */
  owned_by: z.string(),
});
export type ModelView = z.infer<typeof ModelView>;

/** GET /v1/models: those that are known, of providers that are set up; others of these providers can be asked all the same. */
export const ModelListView = z.object({ object: z.literal('list'), data: z.array(ModelView) });
export type ModelListView = z.infer<typeof ModelListView>;
