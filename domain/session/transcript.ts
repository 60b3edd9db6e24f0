import { z } from 'zod';
import { ToolDeeds, TurnFacts } from './turn-facts.ts';
import { answerProblems } from './answer-problems.ts';

/** Tool call as the model asked for it. `args` is whatever JSON the model sent, not yet validated. */
export const RequestedToolCall = z.object({ id: z.string(), name: z.string(), args: z.unknown() });
export type RequestedToolCall = z.infer<typeof RequestedToolCall>;

/** A place in a transcript; rows count from 1. */
const seq = z.number().int().nonnegative();

/**
 * Rows of a transcript by kind; append-only, never rewritten. The first four are what was said; the others say how it is to be
 * read (`effectiveTranscript`, `deriveContext`).
 */
export const sessionEventBodies = {
  /** The system prompt; always seq 1. */
  system: z.object({ text: z.string() }),
  user: z.object({
    text: z.string(),
    /** Said in the middle of a turn (a nudge, a notice): it begins none. */
    aside: z.literal(true).exactOptional(),
  }),
  assistant: z.object({
    text: z.string(),
    toolCalls: z.array(RequestedToolCall),
    /** Provider-specific parts that must be sent back unchanged (reasoning signatures and the like). */
    providerOptions: z.unknown().optional(),
    /** It is of no use; the model is told so with what comes next. */
    problem: z.enum(answerProblems).exactOptional(),
  }),
  'tool-result': z.object({
    callId: z.string(),
    tool: z.string(),
    ok: z.boolean(),
    output: z.string(),
    /** Absent where the call could change nothing. */
    did: ToolDeeds.exactOptional(),
  }),
  /** The first row of a forked session: all rows of that session up to `seq` come before it, and its own go on from there. */
  fork: z.object({ sessionId: z.string(), seq }),
  /** What came after `keepSeq` does not count any more. */
  undo: z.object({ keepSeq: seq }),
  /** Takes the newest undo back, unless something was said since. */
  redo: z.object({}),
  /** Every step that begins in the range is always sent, or, unpinned, not any more; the newest pin of a step counts. */
  pin: z.object({ fromSeq: seq, toSeq: seq, pinned: z.boolean() }),
  /** What came before is not sent any more; the summary stands for it. */
  reset: z.object({ summary: z.string() }),
  /** A summary of the range is wanted; the next model call makes it first. */
  'summary-request': z.object({ fromSeq: seq, toSeq: seq, targetTokens: z.number().int().positive() }),
  /** Is sent in place of the steps that begin in the range; an empty one is none, and is not asked for again. */
  summary: z.object({ fromSeq: seq, toSeq: seq, text: z.string() }),
  /** A provider has refused a longer context for this model (`provider/model`, without effort). */
  window: z.object({ model: z.string(), tokens: z.number().int().positive() }),
  /** What the turn has changed and run, where it has; models are not sent it. */
  'turn-end': TurnFacts,
  /** The session has another title. */
  rename: z.object({ title: z.string() }),
  /** The session is not listed any more; its rows stay. */
  delete: z.object({}),
} as const;

export type SessionEventKind = keyof typeof sessionEventBodies;
export type SessionEventBody<K extends SessionEventKind = SessionEventKind> = z.infer<(typeof sessionEventBodies)[K]>;

export type SessionEvent<Kind extends SessionEventKind = SessionEventKind> = {
  [K in Kind]: { readonly seq: number; readonly kind: K; readonly body: SessionEventBody<K> };
}[Kind];

/** A row that a model can be sent. */
export type SaidRow = SessionEvent<'system' | 'user' | 'assistant' | 'tool-result'>;

/** A second append with the same key to the same session changes nothing. */
export type NewSessionEvent = {
  [K in SessionEventKind]: { readonly key: string; readonly kind: K; readonly body: SessionEventBody<K> };
}[SessionEventKind];

/**
 * The rows that count, in order: without what was undone, and without undo, redo, fork, rename and delete themselves. A
 * summary outlives an undo of what came after its range. Rows are passed on as they are; nothing is changed.
 */
export function effectiveTranscript(rows: readonly SessionEvent[]): readonly SessionEvent[] {
  let kept: SessionEvent[] = [];
  const undone: SessionEvent[][] = [];
  for (const row of rows) {
    if (row.kind === 'undo') {
      const { keepSeq } = row.body;
      undone.push(kept);
      kept = kept.filter((known) => known.seq <= keepSeq || (known.kind === 'summary' && known.body.toSeq <= keepSeq));
    } else if (row.kind === 'redo') {
      kept = undone.pop() ?? kept;
    } else if (row.kind !== 'fork' && row.kind !== 'rename' && row.kind !== 'delete') {
      undone.length = 0;
      kept.push(row);
    }
  }
  return kept;
}
