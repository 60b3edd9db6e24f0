/** What has been used; costs in US dollars. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of `inputTokens` that the provider read from its cache. */
  readonly cachedInputTokens: number;
  readonly costUsd: number;
}

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    costUsd: a.costUsd + b.costUsd,
  };
}

export function totalTokens(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens;
}

/** Caps of one run; `null` = no cap. Counted over all executions of the run. */
export interface BudgetCaps {
  readonly maxCostUsd: number | null;
  readonly maxTokens: number | null;
}

export interface BudgetLedger {
  readonly spentUsd: number;
  readonly spentTokens: number;
  /** Held for calls that are under way. */
  readonly reservedUsd: number;
  readonly reservedTokens: number;
}

/** Dollars as whole nano-dollars, the unit in which amounts are compared and stored: sums of floats drift. */
export function nanoDollars(usd: number): number {
  return Math.round(usd * 1e9);
}

/** Which cap a further call of the given size would break; `null` when it fits. */
export function brokenCap(
  caps: BudgetCaps,
  ledger: BudgetLedger,
  call: { readonly tokens: number; readonly usd: number },
): 'max-cost' | 'max-tokens' | null {
  const wouldCost = nanoDollars(ledger.spentUsd) + nanoDollars(ledger.reservedUsd) + nanoDollars(call.usd);
  if (caps.maxCostUsd !== null && wouldCost > nanoDollars(caps.maxCostUsd)) return 'max-cost';
  if (caps.maxTokens !== null && ledger.spentTokens + ledger.reservedTokens + call.tokens > caps.maxTokens)
    return 'max-tokens';
  return null;
}
