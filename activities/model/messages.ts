import type { AssistantModelMessage, ModelMessage } from 'ai';
import type { AnswerProblem } from '../../domain/session/answer-problems.ts';
import type { RequestedToolCall, SaidRow, SessionEventBody } from '../../domain/session/transcript.ts';
import { partsFor } from './answer-parts.ts';

export interface Conversation {
  readonly instructions: string;
  readonly messages: ModelMessage[];
  /** UTF-8 bytes of all that is sent of the transcript. */
  readonly bytes: number;
}

const goOn = 'Your last answer was cut off at the output limit. Go on; write large files in several smaller steps.';
const goOnAfter: Readonly<Partial<Record<AnswerProblem, string>>> = {
  empty:
    'Your last answer was empty: neither text nor a tool call. Make the next tool call, or, when all is done, say what was done.',
  'cut-off':
    'Your last answer was cut off at the output limit before it had a whole tool call or text; nothing of it was run. Think less, and write large files in several smaller steps.',
};

/**
 * A context (see `deriveContext`: calls and results are paired) as the AI SDK wants it, fit for every provider: two answers are never next
 * to each other, and the last message is never the assistant's.
 * @param model `provider/model`; reasoning of other models is left out
 */
export function toConversation(rows: readonly SaidRow[], model: string): Conversation {
  const instructions: string[] = [];
  const messages: ModelMessage[] = [];
  let bytes = 0;
  /** What an answer without a tool call is followed by. */
  let next = goOn;
  for (const row of rows) {
    switch (row.kind) {
      case 'system':
        instructions.push(row.body.text);
        bytes += Buffer.byteLength(row.body.text);
        break;
      case 'user':
        messages.push({ role: 'user', content: row.body.text });
        bytes += Buffer.byteLength(row.body.text);
        break;
      case 'assistant':
        if (messages.at(-1)?.role === 'assistant') messages.push({ role: 'user', content: next });
        next = goOnAfter[row.body.problem ?? 'malformed'] ?? goOn;
        messages.push(assistantMessage(row.body, model) ?? { role: 'user', content: next });
        bytes += Buffer.byteLength(JSON.stringify(row.body));
        break;
      case 'tool-result': {
        const result = toolResultPart(row.body);
        const last = messages.at(-1);
        if (last?.role === 'tool') last.content.push(result);
        else messages.push({ role: 'tool', content: [result] });
        bytes += Buffer.byteLength(JSON.stringify(result));
      }
    }
  }
  const last = messages.at(-1);
  if (last === undefined || last.role === 'assistant') messages.push({ role: 'user', content: next });
  return { instructions: instructions.join('\n\n'), messages, bytes };
}

function toolResultPart({ callId, tool, ok, output }: SessionEventBody<'tool-result'>) {
  return {
    type: 'tool-result',
    toolCallId: callId,
    toolName: tool,
    output: { type: ok ? 'text' : 'error-text', value: output },
  } as const;
}

/** Undefined when the answer has nothing that could be sent back: reasoning alone is refused by some providers. */
function assistantMessage(body: SessionEventBody<'assistant'>, model: string): AssistantModelMessage | undefined {
  const content: Exclude<AssistantModelMessage['content'], string> = [];
  const open = new Map(body.toolCalls.map((call) => [call.id, call]));
  const parts = partsFor(model, body.providerOptions);
  for (const part of parts ?? []) {
    const options = part.options === undefined ? {} : { providerOptions: part.options };
    if (part.type === 'tool-call') {
      const call = open.get(part.id);
      open.delete(part.id);
      if (call !== undefined) content.push({ ...toolCallPart(call), ...options });
    } else if (part.type === 'reasoning' || part.text.trim() !== '') {
      content.push({ type: part.type, text: part.text, ...options });
    }
  }
  if (parts === undefined && body.text.trim() !== '') content.push({ type: 'text', text: body.text });
  for (const call of open.values()) content.push(toolCallPart(call));
  return content.every((part) => part.type === 'reasoning') ? undefined : { role: 'assistant', content };
}

/** Providers take objects only; text that was no JSON is shown to the model under `invalid`. */
function toolCallPart(call: RequestedToolCall) {
  const isObject = typeof call.args === 'object' && call.args !== null && !Array.isArray(call.args);
  const input = isObject ? call.args : { invalid: call.args };
  return { type: 'tool-call', toolCallId: call.id, toolName: call.name, input } as const;
}
