/** Tasks of the A2A protocol: their states, the log of what happens to them, and what a task is by its log. */
import { z } from 'zod';
import type { ApprovalKind } from '../run/approval.ts';

export const taskStates = [
  'submitted',
  'working',
  'input-required',
  'auth-required',
  'completed',
  'canceled',
  'failed',
  'rejected',
] as const;
export type TaskState = (typeof taskStates)[number];

/** Nothing happens to the task any more. */
export function isTerminal(state: TaskState): boolean {
  return state === 'completed' || state === 'canceled' || state === 'failed' || state === 'rejected';
}

/** The task waits for whoever has sent it. */
export function isInterrupted(state: TaskState): boolean {
  return state === 'input-required' || state === 'auth-required';
}

/** Whoever has sent the task answers a question; the rest takes somebody who may allow it, and that can be somebody else. */
export function stateOfAsking(kind: ApprovalKind): TaskState {
  return kind === 'question' ? 'input-required' : 'auth-required';
}

const JsonObject = z.record(z.string(), z.unknown());

/** As in the JSON of A2A 1.0: one of `text`, `raw` (base64), `url` and `data`. */
export const TaskPart = z
  .object({
    text: z.string().exactOptional(),
    raw: z.string().exactOptional(),
    url: z.string().exactOptional(),
    data: z.unknown().exactOptional(),
    mediaType: z.string().exactOptional(),
    filename: z.string().exactOptional(),
    metadata: JsonObject.exactOptional(),
  })
  .refine(
    (part) => ['text', 'raw', 'url', 'data'].filter((member) => member in part).length === 1,
    'needs one of text, raw, url and data',
  );
export type TaskPart = z.infer<typeof TaskPart>;

/**
 * ```json
 * { "messageId": "m-1", "role": "ROLE_USER", "parts": [{ "text": "Fix the failing test." }] }
 * ```
 */
export const TaskMessage = z.object({
  messageId: z.string().min(1).max(200),
  role: z.enum(['ROLE_USER', 'ROLE_AGENT']),
  parts: z.array(TaskPart).min(1).max(100),
  contextId: z.string().exactOptional(),
  taskId: z.string().exactOptional(),
  metadata: JsonObject.exactOptional(),
  extensions: z.array(z.string()).exactOptional(),
  referenceTaskIds: z.array(z.string()).exactOptional(),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

export const TaskArtifact = z.object({
  artifactId: z.string().min(1),
  name: z.string().exactOptional(),
  description: z.string().exactOptional(),
  parts: z.array(TaskPart),
});
export type TaskArtifact = z.infer<typeof TaskArtifact>;

/** What can happen to a task; append-only, and nothing comes after a terminal state. */
export const taskEventBodies = {
  /** Whoever has sent the task says something: what is to be done, or the answer to a question. */
  message: z.object({
    message: TaskMessage,
    /** The question that it answers. */
    approvalId: z.string().exactOptional(),
  }),
  status: z.object({
    state: z.enum(taskStates),
    /** The agent's. */
    message: TaskMessage.exactOptional(),
    /** The question that is waited for. */
    approvalId: z.string().exactOptional(),
    /** The execution that does its work has its events behind this one of the run. */
    runAfterSeq: z.number().exactOptional(),
  }),
  artifact: z.object({
    artifact: TaskArtifact,
    /** The parts come behind those that are there. */
    append: z.boolean(),
    lastChunk: z.boolean(),
  }),
} as const;
export type TaskEventKind = keyof typeof taskEventBodies;
type TaskEventBody<K extends TaskEventKind> = z.infer<(typeof taskEventBodies)[K]>;

/** `seq` counts from 1 without gaps. */
export type TaskEvent<Kind extends TaskEventKind = TaskEventKind> = {
  [K in Kind]: { readonly seq: number; readonly at: Date; readonly kind: K; readonly body: TaskEventBody<K> };
}[Kind];

/** A second append with the same key to the same task changes nothing. */
export type NewTaskEvent = {
  [K in TaskEventKind]: { readonly key: string; readonly kind: K; readonly body: TaskEventBody<K> };
}[TaskEventKind];

export interface TaskSnapshot {
  /** Of its newest event. */
  readonly seq: number;
  readonly status: TaskEventBody<'status'>;
  /** Of the event that has brought it there. */
  readonly statusSeq: number;
  /** When it came to this status. */
  readonly at: Date;
  readonly artifacts: readonly TaskArtifact[];
  /** What was said, oldest first, without what the status says now. */
  readonly history: readonly TaskMessage[];
}

/** A task by the whole of its log, oldest event first. */
export function taskSnapshot(events: readonly TaskEvent[]): TaskSnapshot {
  let status: TaskEventBody<'status'> = { state: 'submitted' };
  let statusSeq = 0;
  let at = events[0]?.at ?? new Date(0);
  const artifacts = new Map<string, TaskArtifact>();
  const said: { readonly seq: number; readonly message: TaskMessage }[] = [];
  for (const event of events) {
    if (event.kind === 'message') said.push({ seq: event.seq, message: event.body.message });
    if (event.kind === 'status') {
      if (event.body.message !== undefined) said.push({ seq: event.seq, message: event.body.message });
      status = event.body;
      statusSeq = event.seq;
      at = event.at;
    }
    if (event.kind === 'artifact') {
      const { artifact, append } = event.body;
      const known = append ? artifacts.get(artifact.artifactId) : undefined;
      const parts = [...(known?.parts ?? []), ...artifact.parts];
      artifacts.set(artifact.artifactId, { ...known, ...artifact, parts });
    }
  }
  const history = said.filter(({ seq }) => seq !== statusSeq).map(({ message }) => message);
  return { seq: events.at(-1)?.seq ?? 0, status, statusSeq, at, artifacts: [...artifacts.values()], history };
}

/** What a message says in words. */
export function textOf(message: TaskMessage): string {
  return message.parts.flatMap(({ text }) => text ?? []).join('\n');
}
