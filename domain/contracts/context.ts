/** HTTP shapes of `/v1/sessions/:sessionId/context`: what a session's model is sent, and what people do about it. */
import { z } from 'zod';

const positive = z.number().int().positive();
const sizes = { fromSeq: z.number(), toSeq: z.number(), steps: z.number(), tokens: z.number() };

/** GET …/context: as the next model call would be sent it. Tokens are estimated. */
export const ContextView = z.object({
  sessionId: z.string(),
  model: z.string(),
  policy: z.enum(['off', 'incremental', 'reset', 'legacy']),
  /** Null: the model has no known limit. */
  windowTokens: z.number().nullable(),
  /** Of the window, what the conversation may have. */
  budgetTokens: z.number().nullable(),
  tokens: z.number(),
  /** False: what may not be left out does not fit, and the next model call will fail. */
  fits: z.boolean(),
  pinnedTokens: z.number(),
  steps: z.number(),
  /** The newest 1000, oldest first. */
  turns: z.array(
    z.object({
      turn: z.number(),
      ...sizes,
      /** Steps that are always sent. */
      pinnedSteps: z.number(),
      /** The beginning of its message. */
      text: z.string(),
    }),
  ),
  /** How many came before those. */
  earlierTurns: z.number(),
  leftOut: z.array(z.object({ ...sizes, reason: z.enum(['window', 'summarised', 'reset', 'cut']) })),
  /** The model makes a summary of these rows before its next answer. */
  summaryWanted: z.object({ fromSeq: z.number(), toSeq: z.number() }).nullable(),
});
export type ContextView = z.infer<typeof ContextView>;

/** GET …/context/turns/:turn: its rows. */
export const TurnView = z.object({
  turn: z.number(),
  ...sizes,
  rows: z.array(z.object({ seq: z.number(), kind: z.string(), body: z.unknown() })),
});
export type TurnView = z.infer<typeof TurnView>;

/** POST …/context/pin: a turn, or the step that a row belongs to, is always sent, or not any more. */
export const PinRequest = z
  .strictObject({ turn: positive.optional(), row: positive.optional(), pinned: z.boolean() })
  .refine(({ turn, row }) => (turn === undefined) !== (row === undefined), 'expected a turn or a row')
  .meta({ oneOf: [{ required: ['turn'] }, { required: ['row'] }] });
export type PinRequest = z.infer<typeof PinRequest>;
export const PinResponse = z.object({ fromSeq: z.number(), toSeq: z.number(), pinnedTokens: z.number() });
export type PinResponse = z.infer<typeof PinResponse>;

/** POST …/context/reset: without a summary the session's model makes one. */
export const ResetRequest = z.strictObject({ summary: z.string().trim().regex(/\S/).max(20_000).optional() });
export type ResetRequest = z.infer<typeof ResetRequest>;
/** `reset`: nothing before is sent any more. `summary-wanted`: the same as soon as the model has made the summary, before its next answer. */
export const ResetResponse = z.object({
  kind: z.enum(['reset', 'summary-wanted']),
  turns: z.number(),
  steps: z.number(),
  tokens: z.number(),
  model: z.string(),
});
export type ResetResponse = z.infer<typeof ResetResponse>;
