import { z } from 'zod';

/**
 * File format of the `scripted` provider (YAML or JSON): a deterministic model for demos, tests and benchmarks.
 *
 * ```yaml
 * version: 1
 * price: { inputPerMillionUsd: 3, outputPerMillionUsd: 15 }   # optional
 * delayMs: 0                                                  # optional, before each answer
 * contextTokens: 20000                                        # optional: the model's window; without it there is none
 * summary: What was done so far.                              # optional: the answer when a summary is asked for
 * stories:
 *   US-001:
 *     attempts:
 *       - turns:                      # attempt 1; the last attempt also answers all later ones
 *           - text: I write the file.
 *             tools:
 *               - { name: write, args: { path: a.txt, content: "hello\n" } }
 *           - text: Done.             # a turn without tools asks for completion
 * default:                            # optional: for stories that are not named
 *   attempts: [{ turns: [{ text: Nothing to do. }] }]
 * ```
 * A session (`codetether run`) is the story `main`, and its turns are the attempts.
 * `{{story}}`, `{{attempt}}` and `{{step}}` in any string are replaced.
 */
export const ScriptTurn = z.strictObject({
  text: z.string().default(''),
  tools: z.array(z.strictObject({ name: z.string(), args: z.record(z.string(), z.unknown()).default({}) })).default([]),
  /** Waits this long before answering; overrides the file's. */
  delayMs: z.number().int().nonnegative().optional(),
  /** Streams the text in this many pieces with `delayMs` spread over them. */
  chunks: z.number().int().positive().default(1),
  /** Instead of an answer, the first `times` tries of this call fail; then the turn answers. */
  fault: z
    .strictObject({
      kind: z.enum(['rate-limit', 'overloaded', 'quota', 'rejected', 'too-long', 'disconnect', 'hang']),
      times: z.number().int().positive().default(1),
      retryAfterMs: z.number().int().nonnegative().optional(),
      /** Of `too-long`: as often as the conversation has more tokens (estimated), whatever `times` says. */
      aboveTokens: z.number().int().nonnegative().default(0),
    })
    .optional(),
  usage: z
    .strictObject({ inputTokens: z.number().int().nonnegative(), outputTokens: z.number().int().nonnegative() })
    .optional(),
});
export type ScriptTurn = z.infer<typeof ScriptTurn>;

const ScriptStory = z.strictObject({ attempts: z.array(z.strictObject({ turns: z.array(ScriptTurn).min(1) })).min(1) });

export const ModelScript = z.strictObject({
  version: z.literal(1),
  price: z
    .strictObject({ inputPerMillionUsd: z.number().nonnegative(), outputPerMillionUsd: z.number().nonnegative() })
    .optional(),
  delayMs: z.number().int().nonnegative().default(0),
  contextTokens: z.number().int().positive().optional(),
  summary: z.string().default('A summary, as the script says.'),
  stories: z.record(z.string(), ScriptStory).default({}),
  default: ScriptStory.optional(),
});
export type ModelScript = z.infer<typeof ModelScript>;

/**
 * The turn that answers a call, or undefined when the script has none.
 * @param step from 1; steps past the attempt's last turn have no answer
 */
export function scriptTurn(
  script: ModelScript,
  call: { readonly storyId: string; readonly attempt: number; readonly step: number },
): ScriptTurn | undefined {
  const story = script.stories[call.storyId] ?? script.default;
  if (story === undefined) return undefined;
  const attempt = story.attempts[Math.min(call.attempt, story.attempts.length) - 1];
  return attempt?.turns[call.step - 1];
}
