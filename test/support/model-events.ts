import type { ServerResponse } from 'node:http';
import { writeEvents } from './model-server.ts';

/** Events of Anthropic's Messages API. */
export const claude = {
  start: {
    type: 'message_start',
    message: {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'c',
      content: [],
      usage: { input_tokens: 900, cache_read_input_tokens: 80, cache_creation_input_tokens: 20, output_tokens: 1 },
    },
  },
  block: (index: number, content_block: object, ...deltas: readonly object[]) => [
    { type: 'content_block_start', index, content_block },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ],
  text: (index: number, text: string) => claude.block(index, { type: 'text', text: '' }, { type: 'text_delta', text }),
  tool: (index: number, id: string, json: string) =>
    claude.block(
      index,
      { type: 'tool_use', id, name: 'list', input: {} },
      { type: 'input_json_delta', partial_json: json },
    ),
  end: (stop_reason: string) => [
    { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 50 } },
    { type: 'message_stop' },
  ],
};
/** An answer of Claude that asks for completion. */
export const claudeDone = (response: ServerResponse) =>
  writeEvents(response, [claude.start, ...claude.text(0, 'Done.'), ...claude.end('end_turn')]);

/** Chunks of OpenAI's Chat Completions. */
export const chat = (delta: object, finish_reason: string | null = null) => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason }],
});
export const chatTool = (id: string, args: string, name = 'list') =>
  chat({ tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: args } }] });
export const chatUsage = {
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
};
