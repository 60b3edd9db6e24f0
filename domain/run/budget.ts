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

export function totalTokens(usage: Pick<Usage, 'inputTokens' | 'outputTokens'>): number {
  return usage.inputTokens + usage.outputTokens;
}

/** Caps of one run; `null` = no cap. Counted over all executions of the run. */
export interface BudgetCaps {
  readonly maxCostUsd: number | null;
  readonly maxTokens: number | null;
  /** Model calls of all its stories together. */
  readonly maxTotalSteps: number | null;
}

/** The caps in a run's options. */
export function budgetCaps(options: {
  readonly maxCostUsd: number | null;
  readonly maxTokens: number | null;
  readonly maxTotalSteps?: number | undefined;
}): BudgetCaps {
  const { maxCostUsd, maxTokens, maxTotalSteps = null } = options;
  return { maxCostUsd, maxTokens, maxTotalSteps };
}

/** Which cap stopped a run: the name of the flag that raises it, or `agent-share` for that of an agent which another one has started. */
export type BudgetName = 'max-cost' | 'max-tokens' | 'max-total-steps' | 'agent-share';

/**
 * What an agent and all that it starts may spend of their run's money; what they spend counts for the run, too. Their transcripts
 * have this session id, or one that begins with it and `:agent:`.
 */
export interface BudgetShare {
  readonly sessionId: string;
  readonly maxCostUsd: number;
}

/** Agents that are started by agents that are started by one of a story or a session are the last. */
export const maxAgentDepth = 2;
/** Agents that one starts side by side. */
export const maxAgentsAtOnce = 4;
/** Agents with a name that one starts in a turn or an attempt, those that have ended included. */
export const maxNamedAgents = 16;

/** What a person may change of a run's caps while it goes on or when it goes on again; absent: as it is. */
export interface CapsChange {
  readonly maxCostUsd?: number;
  readonly maxTokens?: number;
  readonly maxTotalSteps?: number;
  /** Wall clock of one execution. */
  readonly maxTimeMs?: number;
}

/** Why the change cannot be taken; `null` when it can. */
export function capsProblem(change: CapsChange): string | null {
  const entries = Object.entries(change);
  if (entries.length === 0) return 'no cap is named';
  const bad = entries.find(([, value]) => typeof value !== 'number' || !Number.isFinite(value) || value <= 0);
  return bad === undefined ? null : `${bad[0]} must be a number above 0`;
}

export interface BudgetLedger {
  readonly spentUsd: number;
  readonly spentTokens: number;
  /** Held for calls that are under way. */
  readonly reservedUsd: number;
  readonly reservedTokens: number;
  /** Model calls that were answered or are under way. */
  readonly steps: number;
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
): BudgetName | null {
  const wouldCost = nanoDollars(ledger.spentUsd) + nanoDollars(ledger.reservedUsd) + nanoDollars(call.usd);
  if (caps.maxCostUsd !== null && wouldCost > nanoDollars(caps.maxCostUsd)) return 'max-cost';
  if (caps.maxTokens !== null && ledger.spentTokens + ledger.reservedTokens + call.tokens > caps.maxTokens)
    return 'max-tokens';
  if (caps.maxTotalSteps !== null && ledger.steps >= caps.maxTotalSteps) return 'max-total-steps';
  return null;
}

/** What the caps leave, never below 0; `null` where there is no cap. */
export function leftOf(
  caps: BudgetCaps,
  ledger: BudgetLedger,
): { readonly leftUsd: number | null; readonly leftTokens: number | null; readonly leftSteps: number | null } {
  const takenNano = nanoDollars(ledger.spentUsd) + nanoDollars(ledger.reservedUsd);
  const rest = (cap: number | null, taken: number) => (cap === null ? null : Math.max(0, cap - taken));
  const leftNano = rest(caps.maxCostUsd === null ? null : nanoDollars(caps.maxCostUsd), takenNano);
  return {
    leftUsd: leftNano === null ? null : leftNano / 1e9,
    leftTokens: rest(caps.maxTokens, ledger.spentTokens + ledger.reservedTokens),
    leftSteps: rest(caps.maxTotalSteps, ledger.steps),
  };
}

/** A share of the money cap at which a person is asked whether the run is to go on. */
export interface BudgetLine {
  readonly percent: number;
  readonly spentUsd: number;
  readonly maxCostUsd: number;
}

/** The line that what was spent has reached; `null` when there is none or it is not reached. */
export function reachedLine(
  options: { readonly maxCostUsd: number | null; readonly askAtPercent?: number | undefined },
  { spentUsd }: Pick<BudgetLedger, 'spentUsd'>,
): BudgetLine | null {
  const { maxCostUsd, askAtPercent: percent } = options;
  if (maxCostUsd === null || percent === undefined) return null;
  return nanoDollars(spentUsd) * 100 >= nanoDollars(maxCostUsd) * percent ? { percent, spentUsd, maxCostUsd } : null;
}

/** The same line of the same cap is asked about once, over all executions. */
export function budgetLineKey({ percent, maxCostUsd }: BudgetLine): string {
  return `budget-line:${percent}:${nanoDollars(maxCostUsd)}`;
}

/** The cap that leaves no room for anything, so that a run cannot go on under it; `null` when there is none. */
export function usedUpCap(caps: BudgetCaps, ledger: BudgetLedger): BudgetName | null {
  if (caps.maxCostUsd !== null && nanoDollars(ledger.spentUsd) >= nanoDollars(caps.maxCostUsd)) return 'max-cost';
  if (caps.maxTokens !== null && ledger.spentTokens >= caps.maxTokens) return 'max-tokens';
  if (caps.maxTotalSteps !== null && ledger.steps >= caps.maxTotalSteps) return 'max-total-steps';
  return null;
}
