import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import type { ModelCallStore, RunStore } from '../../domain/contracts/store.ts';
import { highestCostUsd } from '../../domain/model/prices.ts';
import type { PreparedCall } from './provider-call.ts';

export type Reserved =
  | { readonly kind: 'reserved'; readonly maxOutputTokens: number }
  | { readonly kind: 'budget-exceeded'; readonly budget: 'max-cost' | 'max-tokens' };

export interface ReserveContext {
  readonly store: Pick<ModelCallStore, 'reserveModelCall' | 'caps'> & Pick<RunStore, 'getRun'>;
  readonly input: ModelStepInput;
  readonly key: string;
}

/** Others may take what was seen to be left; then it is looked at again. */
const mostTries = 5;

/**
 * Holds the most that the call can cost. When that does not fit under the run's caps, as much output as does fit
 * (not less than the call's minimum) is reserved, and the answer has to be shorter.
 */
export async function reserve(call: PreparedCall, { store, input, key }: ReserveContext): Promise<Reserved> {
  let maxOutputTokens = call.maxOutputTokens;
  for (let tries = 1; ; tries++) {
    const answer = await store.reserveModelCall({
      key,
      runId: input.runId,
      storyId: input.storyId,
      sessionId: input.sessionId,
      model: input.model,
      tokens: call.inputTokens + maxOutputTokens,
      usd: highestCostUsd({ inputTokens: call.inputTokens, outputTokens: maxOutputTokens }, call.price),
    });
    if (answer.kind === 'reserved') return { kind: 'reserved', maxOutputTokens };
    const fitting = Math.min(await fittingOutputTokens(call, store, input.runId), maxOutputTokens - 1);
    if (fitting < call.minOutputTokens || tries === mostTries) return answer;
    maxOutputTokens = fitting;
  }
}

/** How much output the caps leave room for; negative when not even the input fits. */
async function fittingOutputTokens(call: PreparedCall, store: ReserveContext['store'], runId: string): Promise<number> {
  const [caps, run] = await Promise.all([store.caps(runId), store.getRun(runId)]);
  if (run === undefined) return -1;
  const { spentTokens, reservedTokens, spentUsd, reservedUsd } = run.ledger;
  const tokens = caps.maxTokens === null ? Infinity : caps.maxTokens - spentTokens - reservedTokens - call.inputTokens;
  return Math.min(tokens, affordableTokens(call, caps.maxCostUsd, spentUsd + reservedUsd));
}

function affordableTokens(call: PreparedCall, maxCostUsd: number | null, takenUsd: number): number {
  if (maxCostUsd === null) return Infinity;
  const inputUsd = highestCostUsd({ inputTokens: call.inputTokens, outputTokens: 0 }, call.price);
  const tokenUsd = highestCostUsd({ inputTokens: call.inputTokens, outputTokens: 1 }, call.price) - inputUsd;
  const leftUsd = maxCostUsd - takenUsd - inputUsd;
  if (tokenUsd <= 0) return leftUsd >= 0 ? Infinity : -1;
  // A token less than the division says: sums of floating-point dollars must not break the cap by a hair.
  return Math.floor(leftUsd / tokenUsd) - 1;
}
