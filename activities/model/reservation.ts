import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import type { ModelCallStore } from '../../domain/contracts/store.ts';
import { highestCostUsd } from '../../domain/model/prices.ts';
import { brokenCap, totalTokens } from '../../domain/run/budget.ts';
import type { BudgetLine, BudgetName } from '../../domain/run/budget.ts';
import type { PreparedCall } from './provider-call.ts';

export type Reserved =
  | { readonly kind: 'reserved'; readonly maxOutputTokens: number }
  /** Somebody else has stored the call's answer. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'budget-exceeded'; readonly budget: BudgetName }
  | { readonly kind: 'budget-line'; readonly line: BudgetLine };

export interface ReserveContext {
  readonly store: Pick<ModelCallStore, 'reserveModelCall' | 'budget'>;
  readonly input: ModelStepInput;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** How often it is looked whether calls under way have given back what they did not need. */
const pollMs = 500;

/**
 * Holds the most that the call can cost. When that does not fit under the run's caps, as much output as does fit
 * (not less than the call's minimum) is reserved, and the answer has to be shorter. While only what other calls hold is in
 * the way, it waits for them: they nearly always cost less than they hold. Rejects with the signal's reason.
 */
export async function reserve(call: PreparedCall, { store, input, key, signal }: ReserveContext): Promise<Reserved> {
  let maxOutputTokens = call.maxOutputTokens;
  for (;;) {
    const answer = await store.reserveModelCall({
      key,
      runId: input.runId,
      storyId: input.storyId,
      sessionId: input.sessionId,
      model: input.model,
      tokens: call.mostInputTokens + maxOutputTokens,
      usd: highestCostUsd({ inputTokens: call.mostInputTokens, outputTokens: maxOutputTokens }, call.price),
      price: call.price,
      ...(input.shares === undefined ? {} : { shares: input.shares }),
    });
    if (answer.kind === 'answered' || answer.kind === 'budget-line') return answer;
    if (answer.kind === 'reserved') {
      // An earlier try may have got less than is asked for now; its reservation is what this one has.
      return { kind: 'reserved', maxOutputTokens: Math.min(maxOutputTokens, answer.tokens - call.mostInputTokens) };
    }
    if (answer.budget === 'max-total-steps' || answer.budget === 'agent-share') return answer;
    const room = await roomFor(call, store, input.runId);
    // Others may take what was seen to be left; then it is looked at again.
    const fitting = Math.min(room.outputTokens, maxOutputTokens - 1);
    if (fitting >= call.minOutputTokens) {
      maxOutputTokens = fitting;
      continue;
    }
    if (!room.fitsAlone) return answer;
    await sleep(pollMs, undefined, { signal });
    maxOutputTokens = call.maxOutputTokens;
  }
}

/**
 * How much output the caps leave room for now (negative when not even the input fits), and whether the smallest answer would
 * fit if no other call held anything.
 */
async function roomFor(
  call: PreparedCall,
  store: ReserveContext['store'],
  runId: string,
): Promise<{ readonly outputTokens: number; readonly fitsAlone: boolean }> {
  const { caps, ledger } = await store.budget(runId);
  const { spentTokens, reservedTokens, spentUsd, reservedUsd } = ledger;
  const tokens =
    caps.maxTokens === null ? Infinity : caps.maxTokens - spentTokens - reservedTokens - call.mostInputTokens;
  const smallest = { inputTokens: call.mostInputTokens, outputTokens: call.minOutputTokens };
  const alone = brokenCap(
    caps,
    { ...ledger, reservedUsd: 0, reservedTokens: 0 },
    { tokens: totalTokens(smallest), usd: highestCostUsd(smallest, call.price) },
  );
  return {
    outputTokens: Math.min(tokens, affordableTokens(call, caps.maxCostUsd, spentUsd + reservedUsd)),
    fitsAlone: alone === null,
  };
}

function affordableTokens(call: PreparedCall, maxCostUsd: number | null, takenUsd: number): number {
  if (maxCostUsd === null) return Infinity;
  const inputUsd = highestCostUsd({ inputTokens: call.mostInputTokens, outputTokens: 0 }, call.price);
  const tokenUsd = highestCostUsd({ inputTokens: call.mostInputTokens, outputTokens: 1 }, call.price) - inputUsd;
  const leftUsd = maxCostUsd - takenUsd - inputUsd;
  if (tokenUsd <= 0) return leftUsd >= 0 ? Infinity : -1;
  // A token less than the division says: sums of floating-point dollars must not break the cap by a hair.
  return Math.floor(leftUsd / tokenUsd) - 1;
}
