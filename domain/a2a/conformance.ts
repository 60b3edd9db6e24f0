/** The conformance profile: what the official kits of A2A and MCP want of a server, beside what it is for. */
import type { TaskArtifact, TaskEvent, TaskMessage, TaskPart, TaskState } from './task.ts';

/**
 * The agent card that the kits want, who contradict each other: `hybrid` is read by clients of A2A 0.3 too, as outside of the profile;
 * `pure` is that of 1.0 also where nobody has asked for it; `minimal` is the same without optional capabilities.
 */
export const conformanceCards = ['hybrid', 'pure', 'minimal'] as const;
export type ConformanceCard = (typeof conformanceCards)[number];

/** What a task does next. Before it, it waits: so many milliseconds, or the task's own long while. */
export type ConformanceStep = { readonly afterMs?: number | 'long' } & (
  | { readonly state: TaskState; readonly text?: string }
  | { readonly artifact: TaskArtifact; readonly append: boolean; readonly lastChunk: boolean }
);

/** So that whoever follows a stream is there for each of its events. */
const apartMs = 150;

const completed = { state: 'completed' } as const;
const working = { state: 'working' } as const;
const file = { mediaType: 'text/plain', filename: 'output.txt' } as const;

function artifact(part: TaskPart, { isMore = false, isLast = true } = {}) {
  return { artifact: { artifactId: 'result', name: 'result', parts: [part] }, append: isMore, lastChunk: isLast };
}

function apart(...steps: readonly ConformanceStep[]): readonly ConformanceStep[] {
  return steps.map((step) => ({ ...step, afterMs: apartMs }));
}

function streamed(text: string): readonly ConformanceStep[] {
  return apart(working, artifact({ text }), completed);
}

const chunked = apart(
  working,
  artifact({ text: 'chunk-1 ' }, { isLast: false }),
  artifact({ text: 'chunk-2' }, { isMore: true }),
  completed,
);

/** By how a message's id (TCK) or its text (ACTS) begins; of several that fit, the longest counts. */
const behaviours: { readonly [prefix: string]: readonly ConformanceStep[] } = {
  'tck-complete-task': [{ ...completed, text: 'Hello from TCK' }],
  'tck-artifact-text': [artifact({ text: 'Generated text content' }), completed],
  'tck-artifact-file': [artifact({ raw: 'dGNr', ...file }), completed],
  'tck-artifact-file-url': [artifact({ url: 'https://example.com/output.txt', ...file }), completed],
  'tck-artifact-data': [artifact({ data: { key: 'value', count: 42 } }), completed],
  'tck-input-required': [{ state: 'input-required' }],
  'tck-multi-turn': [{ state: 'input-required' }],
  'tck-auth-required': [{ state: 'auth-required', text: 'Log in, then say so.' }],
  'tck-reject-task': [{ state: 'rejected', text: 'rejected' }],
  'tck-task-failure': [working, { state: 'failed', text: 'failed, as it was asked to' }],
  'tck-stream-001': streamed('Stream hello from TCK'),
  'tck-stream-002': apart(completed),
  'tck-stream-003': streamed('Stream task lifecycle'),
  'tck-stream-ordering-001': streamed('Ordered output'),
  'tck-stream-basic': streamed('Streamed output'),
  'tck-stream-artifact-text': streamed('Streamed text content'),
  'tck-stream-artifact-file': apart(working, artifact({ raw: 'dGNr', ...file }), completed),
  'tck-stream-artifact-chunked': chunked,
  'tck-stream-chunked': chunked,
  'tck-long-running': [
    working,
    { ...artifact({ text: 'It took a while.' }), afterMs: 'long' },
    { ...completed, afterMs: apartMs },
  ],
  'test-resubscribe-message-id': [working, { ...completed, afterMs: 'long' }],
  'tck-cancel': [working, { ...completed, afterMs: 10 * 60_000 }],
};

function prefixOf(message: TaskMessage): string | undefined {
  const [first] = message.parts;
  return Object.keys(behaviours)
    .filter((prefix) => message.messageId.startsWith(prefix) || first?.text?.startsWith(prefix) === true)
    .toSorted((one, other) => other.length - one.length)[0];
}

/**
 * What a task does, all of it, by what was said to it: each message adds its own steps.
 * @param otherwise the state that a message leads to which names no behaviour
 */
function stepsOf(messages: readonly TaskMessage[], otherwise: TaskState): readonly ConformanceStep[] {
  const [first] = messages;
  const isConversation = first !== undefined && prefixOf(first) === 'tck-multi-turn';
  return messages.flatMap((message) => {
    const own = behaviours[prefixOf(message) ?? ''];
    if (own !== undefined) return own;
    const isDone = message.parts[0]?.text?.startsWith('done') === true;
    if (isConversation) return [{ state: isDone ? 'completed' : 'input-required' }];
    // Whoever asks at once sees that it is worked on.
    return otherwise === 'completed' ? [completed] : [working, { state: otherwise, afterMs: 1_000 }];
  });
}

/** What a task by its log does next, and which of its steps that is; undefined: it waits to be told more. */
export function nextStep(
  events: readonly TaskEvent[],
  otherwise: TaskState,
): { readonly step: ConformanceStep; readonly index: number } | undefined {
  const messages = events.flatMap((event) => (event.kind === 'message' ? [event.body.message] : []));
  // The first status is that it was submitted.
  const index = events.length - messages.length - 1;
  const step = stepsOf(messages, otherwise)[index];
  return step === undefined ? undefined : { step, index };
}

/** What is said to a message that no task comes of. */
export function directAnswer({ messageId, parts }: TaskMessage): string | undefined {
  const isAsked = [messageId, parts[0]?.text].some((words) => words?.startsWith('tck-message-response'));
  return isAsked ? 'Direct message response' : undefined;
}
