import type { ModelEffort, ModelReference } from '../../domain/model/reference.ts';

/** JSON as the SDK's provider options want it. */
type Options = { [provider: string]: { [name: string]: string | number | boolean | Options[string] } };

export interface EffortOptions {
  /** The SDK's own setting, which it maps to what the model knows. */
  readonly reasoning?: ModelEffort;
  readonly providerOptions: Options;
  /** What is left for the SDK's `maxOutputTokens`, where it adds the thinking budget by itself. */
  readonly maxOutputTokens: number;
}

/** Claude models whose thinking takes a budget of tokens; later ones choose it by themselves. */
const claudeWithBudget = /claude-(3-7-|(opus|sonnet)-4(-[015])?([-@]\d{8})?$|haiku-4-5)/;
const geminiWithBudget = /gemini-2\.5/;

/** Room for an answer, thinking not counted. */
export const defaultAnswerTokens = 8192;

/** Share of the output that thinking may take, for models that want a number. */
const budgetShare: { readonly [E in Exclude<ModelEffort, 'none'>]: number } = {
  minimal: 0.1,
  low: 0.2,
  medium: 0.4,
  high: 0.6,
  max: 0.8,
};
const smallestBudgetTokens = 1024;

/**
 * Room for thinking on top of the room for the answer: thinking counts as output, and a model that has spent
 * all of it on thinking answers nothing.
 */
export function outputTokensWithThinking(reference: ModelReference, answerTokens: number): number {
  switch (reference.effort) {
    case 'none':
    case 'minimal':
    case 'low':
      return answerTokens;
    case 'high':
    case 'max':
      return answerTokens * 4;
    case 'medium':
      return answerTokens * 2;
    case null:
      return reference.provider === 'openai-compatible' ? answerTokens : answerTokens * 2;
  }
}

/** How the effort is said to the provider; all output, thinking included, stays within `maxOutputTokens`. */
export function effortOptions(reference: ModelReference, maxOutputTokens: number): EffortOptions {
  const providerOptions: Options = {};
  // The whole transcript is sent at each step: without the provider's cache a session would cost ten times as much.
  if (reference.provider === 'anthropic') providerOptions['anthropic'] = { cacheControl: { type: 'ephemeral' } };
  // Nothing of the conversation is to stay with the provider; reasoning comes back encrypted instead.
  if (reference.provider === 'openai') providerOptions['openai'] = { store: false };

  const { effort } = reference;
  if (effort === null) return { providerOptions, maxOutputTokens };
  if (effort === 'none') return { reasoning: effort, providerOptions, maxOutputTokens };

  const budgetTokens = Math.floor(maxOutputTokens * budgetShare[effort]);
  if (reference.provider === 'anthropic' && claudeWithBudget.test(reference.model)) {
    if (budgetTokens < smallestBudgetTokens) return { reasoning: 'none', providerOptions, maxOutputTokens };
    providerOptions['anthropic'] = { ...providerOptions['anthropic'], thinking: { type: 'enabled', budgetTokens } };
    return { providerOptions, maxOutputTokens: maxOutputTokens - budgetTokens };
  }
  if (reference.provider === 'google' && geminiWithBudget.test(reference.model)) {
    providerOptions['google'] = { thinkingConfig: { thinkingBudget: budgetTokens } };
    return { providerOptions, maxOutputTokens };
  }
  return { reasoning: effort, providerOptions, maxOutputTokens };
}
