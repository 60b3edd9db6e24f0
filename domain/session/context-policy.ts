import { z } from 'zod';

/**
 * How much of a transcript a model is sent.
 *
 * - `off`: all of it; what does not fit is an error
 * - `incremental`: all of it until it does not fit; then the newest steps, and of the older ones those that matter most
 * - `reset`: all of it up to a threshold (default: half the window); then from the last request of weight on
 * - `legacy`: all of it until it does not fit; then the last 16, 12, 8, 6, 3 or 1 steps, as many as fit
 *
 * With all but `off`, what is left out is summarised by the session's model first, unless `summaries` is false.
 */
export const ContextPolicy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('off') }),
  z.strictObject({
    kind: z.literal('incremental'),
    /** At most; absent: what the window leaves. */
    budgetTokens: z.number().int().positive().exactOptional(),
    summaries: z.boolean().exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('reset'),
    thresholdTokens: z.number().int().positive().exactOptional(),
    summaries: z.boolean().exactOptional(),
  }),
  z.strictObject({ kind: z.literal('legacy'), summaries: z.boolean().exactOptional() }),
]);
export type ContextPolicy = z.infer<typeof ContextPolicy>;

export const defaultContextPolicy: ContextPolicy = { kind: 'incremental' };
