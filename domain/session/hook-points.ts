/** What a workflow has to know of hooks. Apart from their settings: no schema has to be loaded for it. */

/**
 * When a hook runs:
 * - `session-start`: before the first step of a session; what it prints is told to the agent
 * - `before-tool`: before a tool call; it can deny the call
 * - `after-tool`: after a tool call
 * - `turn-end`: the agent has given its answer; it can ask for one more round
 */
export const hookEvents = ['session-start', 'before-tool', 'after-tool', 'turn-end'] as const;
export type HookEvent = (typeof hookEvents)[number];

/** A turn is asked for so many more rounds by its hooks, then it ends. */
export const mostHookRounds = 3;

/** Makes calls of other tools: every hook on some tool looks at it too. */
export const batchTool = 'batch';

/** @param points see `hookPoints` */
export function isHooked(points: readonly string[], event: HookEvent, tool?: string): boolean {
  if (points.includes(event)) return true;
  if (tool === batchTool) return points.some((point) => point.startsWith(`${event}:`));
  return tool !== undefined && points.includes(`${event}:${tool}`);
}
