/**
 * Which tools a model is told of. Each call pays for all of them: `lean` has what a story needs, `full` has all that this
 * host can do. A tool that was not told of runs all the same when it is called.
 */
export const toolProfiles = ['lean', 'full'] as const;
export type ToolProfile = (typeof toolProfiles)[number];

/** `off`: agents have no web tools; `ask`: a person is asked about hosts that are not allowed by name; `allow`: nobody is asked. */
export const webAccessPolicies = ['off', 'ask', 'allow'] as const;

/** Search engines that agents can use. */
export const searchProviders = ['searxng', 'brave'] as const;
export type SearchProvider = (typeof searchProviders)[number];
