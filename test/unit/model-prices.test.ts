import { describe, expect, it } from 'vitest';
import { effortOptions, outputTokensWithThinking } from '../../activities/model/reasoning.ts';
import { costUsd, highestCostUsd, priceOf } from '../../domain/model/prices.ts';
import { parseModelReference } from '../../domain/model/reference.ts';
import type { ModelReference } from '../../domain/model/reference.ts';
import { estimateTokens, mostInputTokens } from '../../domain/model/tokens.ts';

function reference(text: string): ModelReference {
  const parsed = parseModelReference(text);
  if (parsed === null) throw new Error(text);
  return parsed;
}

const options = (model: string, maxOutputTokens = 32_768) => effortOptions(reference(model), maxOutputTokens);
const room = (model: string) => outputTokensWithThinking(reference(model), 8192);

describe('prices', () => {
  it.each([
    ['anthropic/claude-sonnet-4-5-20250929', 3, 15],
    ['anthropic/claude-opus-4-1-20250805', 15, 75],
    ['anthropic/claude-opus-4-5', 5, 25],
    ['openai/gpt-5-mini', 0.25, 2],
    ['openai/gpt-5-2025-08-07:high', 1.25, 10],
    ['google/gemini-2.5-flash-lite', 0.1, 0.4],
    ['openai-compatible/openai/gpt-4.1', 2, 8],
  ])('%s costs $%f in and $%f out per million', (model, inputUsd, outputUsd) => {
    expect(priceOf(reference(model))).toMatchObject({ inputUsd, outputUsd, source: 'table' });
  });

  it.each(['anthropic/claude-next', 'openai/gpt-5.9', 'openai/gpt-50', 'openai-compatible/qwen3-coder'])(
    'the unknown %s costs the default, never nothing',
    (model) => {
      expect(priceOf(reference(model))).toMatchObject({
        inputUsd: 5,
        cachedInputUsd: 5,
        outputUsd: 25,
        source: 'default',
      });
    },
  );

  it('cached input and cache writes have their own prices', () => {
    const price = priceOf(reference('anthropic/claude-sonnet-4-5'));
    const tokens = { inputTokens: 3000, cachedInputTokens: 1000, cacheWriteTokens: 1000, outputTokens: 1000 };
    expect(costUsd(tokens, price)).toBeCloseTo((3 + 0.3 + 3.75 + 15) / 1000, 10);
  });

  it('long input has another price for the whole call', () => {
    const price = priceOf(reference('google/gemini-2.5-pro'));
    const at = (inputTokens: number) => costUsd({ inputTokens, cachedInputTokens: 0, outputTokens: 1000 }, price);
    expect(at(200_000)).toBeCloseTo(0.25 + 0.01, 10);
    expect(at(200_001)).toBeCloseTo(0.5 + 0.015, 4);
  });

  it('the highest cost counts all input as written to the cache', () => {
    const price = priceOf(reference('anthropic/claude-sonnet-4-5'));
    expect(highestCostUsd({ inputTokens: 1_000_000, outputTokens: 0 }, price)).toBe(3.75);
  });

  it.each([
    ['openai-compatible/qwen3-coder', 'file', 0.4],
    ['openai-compatible/vendor/qwen3-coder-480b', 'file', 0.4],
    ['openai/gpt-4.1', 'file', 1],
    ['openai-compatible/gpt-4.1', 'table', 2],
    ['openai-compatible/qwen3', 'default', 5],
  ])('%s has the price of the %s', (model, source, inputUsd) => {
    const rates = (usd: number) => ({ inputUsd: usd, cachedInputUsd: usd, cacheWriteUsd: usd, outputUsd: usd });
    const own = { 'qwen3-coder': rates(0.4), 'openai/gpt-4.1': rates(1) };
    expect(priceOf(reference(model), own)).toMatchObject({ source, inputUsd });
  });

  it('input is bounded by a token for each byte, and by what the provider counted for the last call', () => {
    const whole = { bytes: 100_000, rows: 40 };
    expect(mostInputTokens(whole)).toBe(100_000 + 40 * 16 + 256);
    expect(mostInputTokens(whole, { countedTokens: 30_000, bytes: 2000, rows: 2 })).toBe(30_000 + 2000 + 2 * 16 + 256);
    expect(mostInputTokens(whole, { countedTokens: 150_000, bytes: 2000, rows: 2 })).toBe(100_000 + 40 * 16 + 256);
  });

  it('tokens are estimated from bytes, rounded up', () => {
    expect([0, 1, 32, 33].map(estimateTokens)).toEqual([0, 1, 10, 11]);
  });
});

describe('effort', () => {
  it('an older Claude gets a budget of tokens that stays within the output', () => {
    expect(options('anthropic/claude-sonnet-4-5:high')).toEqual({
      providerOptions: {
        anthropic: { cacheControl: { type: 'ephemeral' }, thinking: { type: 'enabled', budgetTokens: 19_660 } },
      },
      maxOutputTokens: 13_108,
    });
    expect(options('anthropic/claude-opus-4-20250514:low').maxOutputTokens).toBe(26_215);
  });

  it('an older Claude does not think when there is too little room', () => {
    expect(options('anthropic/claude-haiku-4-5:low', 1000)).toMatchObject({ reasoning: 'none', maxOutputTokens: 1000 });
  });

  it('a newer Claude, OpenAI and others get the effort itself', () => {
    for (const model of ['anthropic/claude-opus-4-6:max', 'openai/gpt-6-sol:max', 'openai-compatible/x:max'])
      expect(options(model)).toMatchObject({ reasoning: 'max', maxOutputTokens: 32_768 });
  });

  it('Gemini 2.5 gets a budget', () => {
    expect(options('google/gemini-2.5-pro:medium').providerOptions).toEqual({
      google: { thinkingConfig: { thinkingBudget: 13_107 } },
    });
  });

  it('none is off, nothing is the default of the provider', () => {
    expect(options('openai/gpt-6-sol:none').reasoning).toBe('none');
    expect(options('openai/gpt-6-sol')).toEqual({
      providerOptions: { openai: { store: false } },
      maxOutputTokens: 32_768,
    });
  });

  it('thinking gets room besides the answer', () => {
    expect(room('openai/gpt-5:low')).toBe(8192);
    expect(room('openai/gpt-5')).toBe(16_384);
    expect(room('openai/gpt-5:high')).toBe(32_768);
    expect(room('openai-compatible/x')).toBe(8192);
  });
});
