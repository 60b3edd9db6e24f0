import type { ModelReference } from './reference.ts';

/** US dollars per million tokens. */
export interface ModelRates {
  readonly inputUsd: number;
  /** Input that the provider read from its cache. */
  readonly cachedInputUsd: number;
  /** Input that the provider wrote to its cache. */
  readonly cacheWriteUsd: number;
  readonly outputUsd: number;
}

export interface ModelPrice extends ModelRates {
  /** Where the price is from: `file` is the user's own, `default` is a guess that should be said. */
  readonly source: 'table' | 'file' | 'default' | 'script';
  /** Rates of the whole call when its input is longer than that. */
  readonly longInput?: ModelRates & { readonly aboveTokens: number };
}

export interface TokenCounts {
  /** All input, with what was read from and written to the cache. */
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens?: number;
  readonly outputTokens: number;
}

/** The day on which the table was compared with what the providers publish. */
export const pricesAsOf = '2026-11-20';

/** Counted for a model that is not in the table. Never zero: a cap has to hold for unknown models too. */
const defaultPrice: ModelPrice = { ...rates(5, 5, 25), source: 'default' };

/** @param cacheWrite factor on the input's price */
function rates(inputUsd: number, cachedInputUsd: number, outputUsd: number, cacheWrite = 1): ModelRates {
  return { inputUsd, cachedInputUsd, cacheWriteUsd: inputUsd * cacheWrite, outputUsd };
}

type Row = Omit<ModelPrice, 'source'>;

const claude = (input: number, cached: number, output: number): Row => rates(input, cached, output, 1.25);
const gpt = (input: number, cached: number, output: number): Row => rates(input, cached, output);
/** From GPT-5.6 on: cache writes cost extra, and so does input above 272k tokens. */
const gptLong = (input: number, cached: number, output: number, cacheWrite = 1.25): Row => ({
  ...rates(input, cached, output, cacheWrite),
  longInput: { ...rates(input * 2, cached * 2, output * 1.5, cacheWrite), aboveTokens: 272_000 },
});
const gemini = gpt;
const geminiLong = (input: number, cached: number, output: number): Row => ({
  ...rates(input, cached, output),
  longInput: { ...rates(input * 2, cached * 2, output * 1.5), aboveTokens: 200_000 },
});

/**
 * List prices of the standard tier by model name or its beginning (up to a dash or the end). Discounts that
 * end by a date are left out, so that a cap holds when they end.
 */
const table: { readonly [beginning: string]: Row } = {
  'claude-fable-5': claude(10, 1, 50),
  'claude-fable-5-1': claude(10, 0.25, 50),
  'claude-opus-5-5': claude(4, 0.2, 20),
  'claude-opus-5': claude(5, 0.5, 25),
  'claude-opus-4-8': claude(5, 0.5, 25),
  'claude-opus-4-7': claude(5, 0.5, 25),
  'claude-opus-4-6': claude(5, 0.5, 25),
  'claude-opus-4-5': claude(5, 0.5, 25),
  'claude-opus-4': claude(15, 1.5, 75),
  'claude-3-opus': claude(15, 1.5, 75),
  'claude-sonnet-5-5': claude(2, 0.1, 10),
  'claude-sonnet-5': claude(2, 0.2, 10),
  'claude-sonnet-4': claude(3, 0.3, 15),
  'claude-3-7-sonnet': claude(3, 0.3, 15),
  'claude-3-5-sonnet': claude(3, 0.3, 15),
  'claude-haiku-5-5': {
    ...claude(0.1, 0.01, 0.5),
    longInput: { ...claude(0.5, 0.05, 2.5), aboveTokens: 100_000 },
  },
  'claude-haiku-4-5': claude(1, 0.1, 5),
  'claude-3-5-haiku': claude(0.8, 0.08, 4),
  'claude-3-haiku': claude(0.25, 0.03, 1.25),

  'gpt-6-astra': gptLong(10, 1, 50),
  'gpt-6.1-sol': gptLong(2, 0.1, 10),
  'gpt-6.1-terra': gptLong(1, 0.05, 5),
  'gpt-6-sol': gptLong(2, 0.2, 10),
  'gpt-6-luna': gptLong(0.1, 0.01, 0.5),
  'gpt-5.6': gptLong(5, 0.5, 30),
  'gpt-5.6-sol': gptLong(4, 0.4, 20),
  'gpt-5.6-terra': gptLong(2, 0.2, 12),
  'gpt-5.6-luna': gptLong(0.2, 0.02, 1.2),
  'gpt-5.5': gptLong(5, 0.5, 30, 1),
  'gpt-5.5-pro': gpt(30, 30, 180),
  'gpt-5.4': gptLong(2.5, 0.25, 15, 1),
  'gpt-5.4-mini': gpt(0.75, 0.075, 4.5),
  'gpt-5.4-nano': gpt(0.2, 0.02, 1.25),
  'gpt-5.4-pro': gpt(30, 30, 180),
  'gpt-5.3': gpt(1.75, 0.175, 14),
  'gpt-5.2': gpt(1.75, 0.175, 14),
  'gpt-5.2-pro': gpt(21, 21, 168),
  'gpt-5.1': gpt(1.25, 0.125, 10),
  'gpt-5.1-codex-mini': gpt(0.25, 0.025, 2),
  'gpt-5': gpt(1.25, 0.125, 10),
  'gpt-5-pro': gpt(15, 15, 120),
  'gpt-5-mini': gpt(0.25, 0.025, 2),
  'gpt-5-nano': gpt(0.05, 0.005, 0.4),
  'gpt-4.1': gpt(2, 0.5, 8),
  'gpt-4.1-mini': gpt(0.4, 0.1, 1.6),
  'gpt-4.1-nano': gpt(0.1, 0.025, 0.4),
  'gpt-4o': gpt(2.5, 1.25, 10),
  'gpt-4o-mini': gpt(0.15, 0.075, 0.6),
  o1: gpt(15, 7.5, 60),
  o3: gpt(2, 0.5, 8),
  'o3-pro': gpt(20, 20, 80),
  'o3-mini': gpt(1.1, 0.55, 4.4),
  'o4-mini': gpt(1.1, 0.275, 4.4),

  'gemini-4-argon': gemini(4, 0.2, 20),
  'gemini-4-carbon': gemini(4, 0.2, 20),
  'gemini-4-hydrogen': gemini(1.5, 0.15, 7.5),
  'gemini-3.8-flash': gemini(1.5, 0.15, 7.5),
  'gemini-3.7-flash': gemini(1.5, 0.15, 7.5),
  'gemini-3.6-flash': gemini(1.5, 0.15, 7.5),
  'gemini-3.5-flash': gemini(1.5, 0.15, 9),
  'gemini-3.5-flash-lite': gemini(0.3, 0.03, 2.5),
  'gemini-3.1-pro': geminiLong(2, 0.2, 12),
  'gemini-3.1-flash-lite': gemini(0.25, 0.025, 1.5),
  'gemini-3-pro': geminiLong(2, 0.2, 12),
  'gemini-3-flash': gemini(0.5, 0.05, 3),
  'gemini-2.5-pro': geminiLong(1.25, 0.125, 10),
  'gemini-2.5-flash': gemini(0.3, 0.03, 2.5),
  'gemini-2.5-flash-lite': gemini(0.1, 0.01, 0.4),
  'gemini-2.0-flash': gemini(0.1, 0.025, 0.4),
  'gemini-pro-latest': gemini(4, 0.2, 20),
  'gemini-flash-latest': gemini(1.5, 0.15, 9),
  'gemini-flash-lite-latest': gemini(0.3, 0.03, 2.5),
};

/** The user's own prices by model name, its beginning, or `provider/model`; they come before the table's. */
export type OwnPrices = {
  readonly [beginning: string]: ModelRates & {
    /** The model's window, see `windows.ts`. */
    readonly contextTokens?: number;
  };
};

/**
 * The price of a model: the user's own, else the table's, by the longest entry that its name begins with; {@link defaultPrice}
 * for all others. A router's folder (`openai-compatible/vendor/name`) is not part of the name. `scripted` costs what its file says.
 */
export function priceOf(
  reference: Pick<ModelReference, 'model'> & Partial<ModelReference>,
  own: OwnPrices = {},
): ModelPrice {
  const name = reference.model.slice(reference.model.lastIndexOf('/') + 1);
  const whole = reference.provider === undefined ? [] : [`${reference.provider}/${reference.model}`];
  const ownRates = own[longestBeginning(Object.keys(own), [...whole, reference.model, name])];
  if (ownRates !== undefined) {
    const { contextTokens: _window, ...rates } = ownRates;
    return { ...rates, source: 'file' };
  }
  const row = table[longestBeginning(Object.keys(table), [name])];
  return row === undefined ? defaultPrice : { ...row, source: 'table' };
}

/** Empty when none fits; a name's beginning goes up to a dash or its end. */
export function longestBeginning(beginnings: readonly string[], names: readonly string[]): string {
  let best = '';
  for (const beginning of beginnings) {
    const fits = names.some((name) => name === beginning || name.startsWith(`${beginning}-`));
    if (fits && beginning.length > best.length) best = beginning;
  }
  return best;
}

/** What a call costs. Cached input and cache writes are parts of the input. */
export function costUsd(tokens: TokenCounts, price: ModelPrice): number {
  const long = price.longInput;
  const at = long !== undefined && tokens.inputTokens > long.aboveTokens ? long : price;
  const cacheWriteTokens = tokens.cacheWriteTokens ?? 0;
  const plainTokens = Math.max(0, tokens.inputTokens - tokens.cachedInputTokens - cacheWriteTokens);
  const microUsd =
    plainTokens * at.inputUsd +
    tokens.cachedInputTokens * at.cachedInputUsd +
    cacheWriteTokens * at.cacheWriteUsd +
    tokens.outputTokens * at.outputUsd;
  return microUsd / 1_000_000;
}

/** The most that a call with so many tokens can cost, whatever the provider's cache does. */
export function highestCostUsd(
  tokens: { readonly inputTokens: number; readonly outputTokens: number },
  price: ModelPrice,
): number {
  return costUsd({ ...tokens, cachedInputTokens: 0, cacheWriteTokens: tokens.inputTokens }, price);
}
