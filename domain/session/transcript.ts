import { z } from 'zod';

/** Tool call as the model asked for it. `args` is whatever JSON the model sent, not yet validated. */
export const RequestedToolCall = z.object({ id: z.string(), name: z.string(), args: z.unknown() });
export type RequestedToolCall = z.infer<typeof RequestedToolCall>;

/** Rows of a transcript by kind; append-only, never rewritten. */
export const sessionEventBodies = {
  /** The system prompt; always seq 1. */
  system: z.object({ text: z.string() }),
  user: z.object({ text: z.string() }),
  assistant: z.object({
    text: z.string(),
    toolCalls: z.array(RequestedToolCall),
    /** Provider-specific parts that must be sent back unchanged (reasoning signatures and the like). */
    providerOptions: z.unknown().optional(),
  }),
  'tool-result': z.object({ callId: z.string(), tool: z.string(), ok: z.boolean(), output: z.string() }),
} as const;

export type SessionEventKind = keyof typeof sessionEventBodies;
export type SessionEventBody<K extends SessionEventKind = SessionEventKind> = z.infer<(typeof sessionEventBodies)[K]>;

export type SessionEvent = {
  [K in SessionEventKind]: { readonly seq: number; readonly kind: K; readonly body: SessionEventBody<K> };
}[SessionEventKind];

/** A second append with the same key to the same session changes nothing. */
export type NewSessionEvent = {
  [K in SessionEventKind]: { readonly key: string; readonly kind: K; readonly body: SessionEventBody<K> };
}[SessionEventKind];
