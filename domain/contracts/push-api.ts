import { z } from 'zod';

export const DeadLetterView = z.object({
  deadLetterId: z.string(),
  taskId: z.string(),
  configId: z.string(),
  /** Scheme, host and port of the receiver; the rest of its address may be a secret. */
  receiver: z.string(),
  /** Of the event in its task. */
  seq: z.number(),
  attempts: z.number(),
  reason: z.string(),
  status: z.number().nullable(),
  at: z.string(),
  /** Nothing is sent to this receiver of the task until it is replayed or set anew. */
  disabled: z.boolean(),
});
export type DeadLetterView = z.infer<typeof DeadLetterView>;

export const DeadLetterListView = z.object({
  deadLetters: z.array(DeadLetterView),
  nextCursor: z.string().nullable(),
});
export type DeadLetterListView = z.infer<typeof DeadLetterListView>;
