import { z } from 'zod';

/** Provider-specific data of one part, as the AI SDK gives and takes it: by provider, then by name. */
const PartOptions = z.record(z.string(), z.record(z.string(), z.json()));
export type PartOptions = z.infer<typeof PartOptions>;

const AnswerPart = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string(), options: PartOptions.optional() }),
  z.object({ type: z.literal('reasoning'), text: z.string(), options: PartOptions.optional() }),
  /** `id` is the call's id in the transcript. */
  z.object({ type: z.literal('tool-call'), id: z.string(), options: PartOptions.optional() }),
]);
export type AnswerPart = z.infer<typeof AnswerPart>;

/**
 * `providerOptions` of an assistant row: the answer's parts in their order, with what has to go back to the model
 * that gave them (reasoning with its signature, encrypted items, thought signatures). Another model gets none of it.
 *
 * ```json
 * { "model": "anthropic/claude-x", "parts": [
 *   { "type": "reasoning", "text": "…", "options": { "anthropic": { "signature": "…" } } },
 *   { "type": "tool-call", "id": "toolu_1" } ] }
 * ```
 */
const AnswerParts = z.object({
  /** `provider/model`, without effort. */
  model: z.string(),
  parts: z.array(AnswerPart),
});

/** The parts of an assistant row, when `model` is the one that gave them. Never throws. */
export function partsFor(model: string, providerOptions: unknown): readonly AnswerPart[] | undefined {
  const stored = AnswerParts.safeParse(providerOptions);
  return stored.success && stored.data.model === model ? stored.data.parts : undefined;
}

/** False when text and tool calls alone say the same. */
export function isWorthKeeping(parts: readonly AnswerPart[]): boolean {
  return parts.some((part) => part.type === 'reasoning' || part.options !== undefined);
}

/** The data as it can be stored, undefined when there is none. Members that are `undefined` are no JSON and fall away. */
export function partOptions(value: unknown): PartOptions | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const parsed = PartOptions.safeParse(JSON.parse(JSON.stringify(value)));
  return parsed.success && Object.keys(parsed.data).length > 0 ? parsed.data : undefined;
}
