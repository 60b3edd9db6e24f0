import { longestBeginning } from './prices.ts';
import type { OwnPrices } from './prices.ts';
import type { ModelReference } from './reference.ts';

/** The day on which the table was compared with what the providers publish. */
export const windowsAsOf = '2026-11-20';

/** For a model that is not in the table. A window that is taken for too small costs a compaction; one that is too large, a refused call. */
export const defaultWindowTokens = 128_000;

/** Tokens that a model takes, question and answer together, by model name or its beginning (up to a dash or the end). */
const table: { readonly [beginning: string]: number } = {
  claude: 200_000,
  'claude-fable-5': 1_000_000,
  'claude-opus-5': 1_000_000,
  'claude-opus-4-8': 1_000_000,
  'claude-opus-4-7': 1_000_000,
  'claude-opus-4-6': 1_000_000,
  'claude-sonnet-5': 1_000_000,
  'claude-sonnet-4-6': 1_000_000,
  'claude-haiku-5-5': 1_000_000,

  // What is not published for sure stands at the last window that is.
  'gpt-6-astra': 400_000,
  'gpt-6.1-sol': 400_000,
  'gpt-6.1-terra': 400_000,
  'gpt-6-sol': 400_000,
  'gpt-6-luna': 400_000,
  'gpt-5.6': 1_000_000,
  'gpt-5.6-luna': 400_000,
  'gpt-5.5': 1_000_000,
  'gpt-5.4': 1_000_000,
  'gpt-5.4-mini': 400_000,
  'gpt-5.4-nano': 400_000,
  'gpt-5.3': 400_000,
  'gpt-5.2': 400_000,
  'gpt-5.1': 400_000,
  'gpt-5': 400_000,
  'gpt-4.1': 1_000_000,
  'gpt-4o': 128_000,
  o1: 200_000,
  o3: 200_000,
  'o4-mini': 200_000,

  gemini: 1_000_000,
};

/** The window of a model: the user's own (`prices.yaml`), else the table's, by the longest entry that its name begins with. */
export function windowTokens(
  reference: Pick<ModelReference, 'model'> & Partial<ModelReference>,
  own: OwnPrices = {},
): number {
  const name = reference.model.slice(reference.model.lastIndexOf('/') + 1);
  const whole = reference.provider === undefined ? [] : [`${reference.provider}/${reference.model}`];
  const told = Object.entries(own).filter(([, { contextTokens }]) => contextTokens !== undefined);
  const named = longestBeginning(
    told.map(([beginning]) => beginning),
    [...whole, reference.model, name],
  );
  return own[named]?.contextTokens ?? table[longestBeginning(Object.keys(table), [name])] ?? defaultWindowTokens;
}

/**
 * Tokens that a conversation may have: nine tenths of what the window leaves beside the answer and everything else that is sent.
 * The tenth is for the estimate, see `estimateTokens`; never negative.
 */
export function conversationTokens(window: {
  readonly contextTokens: number;
  /** Answer, tool definitions. */
  readonly reservedTokens: number;
}): number {
  return Math.max(0, Math.floor(0.9 * (window.contextTokens - window.reservedTokens)));
}

/** The most that an answer may take of a window, so that there is room for what it answers. */
export function answerTokensWithin(contextTokens: number, asked: number): number {
  return Math.min(asked, Math.max(256, Math.floor(contextTokens / 4)));
}
