/** `provider/model[:effort]` as people write it. The model part may hold slashes and, for `scripted`, is a path. */
export interface ModelReference {
  readonly provider: ModelProvider;
  readonly model: string;
  readonly effort: ModelEffort | null;
}

export const modelProviders = ['anthropic', 'openai', 'google', 'openai-compatible', 'scripted'] as const;
export type ModelProvider = (typeof modelProviders)[number];

export const modelEfforts = ['none', 'minimal', 'low', 'medium', 'high', 'max'] as const;
export type ModelEffort = (typeof modelEfforts)[number];

/** `null` when the text is no model reference; `codetether` says which providers there are. */
export function parseModelReference(reference: string): ModelReference | null {
  const slash = reference.indexOf('/');
  if (slash <= 0 || slash === reference.length - 1) return null;
  const provider = modelProviders.find((known) => known === reference.slice(0, slash));
  if (provider === undefined) return null;
  const rest = reference.slice(slash + 1);
  const colon = rest.lastIndexOf(':');
  const effort = modelEfforts.find((known) => colon > 0 && known === rest.slice(colon + 1));
  if (effort === undefined) return { provider, model: rest, effort: null };
  return { provider, model: rest.slice(0, colon), effort };
}
