/**
 * Which tools a model is told of. Each call pays for all of them: `lean` has what a story needs, `full` has all that this
 * host can do. A tool that was not told of runs all the same when it is called.
 */
export const toolProfiles = ['lean', 'full'] as const;
export type ToolProfile = (typeof toolProfiles)[number];
