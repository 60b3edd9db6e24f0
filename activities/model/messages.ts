import type { AssistantModelMessage, ModelMessage, ToolModelMessage } from 'ai';
import type { RequestedToolCall, SessionEvent, SessionEventBody } from '../../domain/session/transcript.ts';
import { partsFor } from './answer-parts.ts';

export interface Conversation {
  readonly instructions: string;
  readonly messages: ModelMessage[];
  /** UTF-8 bytes of all that is sent of the transcript. */
  readonly bytes: number;
}

const noResult =
  'no result: the call was lost before it could answer; look at the state of things and repeat it if needed';
const goOn = 'Your last answer was cut off at the output limit. Go on; write large files in several smaller steps.';

/**
 * The transcript as the AI SDK wants it, fit for every provider whatever happened to the session: each tool call is
 * followed by exactly one result (one that is missing is made up and says so), results of no call are left out, two
 * answers are never next to each other, and the last message is never the assistant's.
 * @param model `provider/model`; reasoning of other models is left out
 */
export function toConversation(events: readonly SessionEvent[], model: string): Conversation {
  const instructions: string[] = [];
  const messages: ModelMessage[] = [];
  let bytes = 0;
  const results = resultsByCall(events);

  for (const event of events) {
    switch (event.kind) {
      case 'system':
        instructions.push(event.body.text);
        bytes += Buffer.byteLength(event.body.text);
        break;
      case 'user':
        messages.push({ role: 'user', content: event.body.text });
        bytes += Buffer.byteLength(event.body.text);
        break;
      case 'assistant': {
        if (messages.at(-1)?.role === 'assistant') messages.push({ role: 'user', content: goOn });
        messages.push(assistantMessage(event.body, model) ?? { role: 'user', content: goOn });
        bytes += Buffer.byteLength(JSON.stringify(event.body));
        if (event.body.toolCalls.length === 0) break;
        const answered = toolMessage(event.body.toolCalls, results.get(event.seq));
        messages.push(answered);
        bytes += Buffer.byteLength(JSON.stringify(answered.content));
        break;
      }
      case 'tool-result':
        break;
    }
  }
  const last = messages.at(-1);
  if (last === undefined || last.role === 'assistant') messages.push({ role: 'user', content: goOn });
  return { instructions: instructions.join('\n\n'), messages, bytes };
}

type Results = ReadonlyMap<string, SessionEventBody<'tool-result'>>;

/** Results by the answer (its seq) that asked for them; the first result of a call counts. */
function resultsByCall(events: readonly SessionEvent[]): ReadonlyMap<number, Results> {
  const byAnswer = new Map<number, Map<string, SessionEventBody<'tool-result'>>>();
  const asked = new Map<string, number>();
  for (const event of events) {
    if (event.kind === 'assistant') for (const call of event.body.toolCalls) asked.set(call.id, event.seq);
    if (event.kind !== 'tool-result') continue;
    const seq = asked.get(event.body.callId);
    if (seq === undefined) continue;
    const results = byAnswer.get(seq) ?? new Map<string, SessionEventBody<'tool-result'>>();
    if (!results.has(event.body.callId)) results.set(event.body.callId, event.body);
    byAnswer.set(seq, results);
  }
  return byAnswer;
}

function toolMessage(calls: readonly RequestedToolCall[], results: Results | undefined): ToolModelMessage {
  return {
    role: 'tool',
    content: calls.map((call) => {
      const result = results?.get(call.id);
      const type = result?.ok === true ? 'text' : 'error-text';
      return {
        type: 'tool-result',
        toolCallId: call.id,
        toolName: call.name,
        output: { type, value: result === undefined ? noResult : result.output },
      };
    }),
  };
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
