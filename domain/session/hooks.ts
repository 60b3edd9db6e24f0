import { z } from 'zod';
import { batchTool, hookEvents } from './hook-points.ts';
import type { HookEvent } from './hook-points.ts';

/** A command that says no, or asks for one more round, ends with it. */
export const hookDenies = 2;

/** How a hook has ended. `unknown`: its worker was lost, and it is not run again. */
export type HookEnd =
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly timedOut: boolean; readonly output: string }
  | { readonly kind: 'unknown' };

/**
 * What the end of a hook means: `said` is what it has printed for whom it may concern, `problem` is for people.
 * Before a tool only a plain 0 lets the call pass: a guard that is broken lets nothing pass.
 */
export function judgeHook(
  event: HookEvent,
  end: HookEnd,
): { readonly denies: boolean; readonly said: string; readonly problem: string | undefined } {
  const guards = event === 'before-tool';
  if (end.kind === 'unknown')
    return { denies: guards, said: 'it was interrupted, and what it says is not known', problem: 'was interrupted' };
  const { exitCode, timedOut, output } = end;
  if (exitCode === 0 && !timedOut) return { denies: false, said: output, problem: undefined };
  const canDeny = guards || event === 'turn-end';
  if (exitCode === hookDenies && !timedOut && canDeny) return { denies: true, said: output, problem: undefined };
  const problem = timedOut ? 'took too long' : `ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}`;
  return { denies: guards, said: [`it ${problem}`, output].filter(Boolean).join(': '), problem };
}

export const longestHookSeconds = 600;
export const defaultHookSeconds = 60;
const seconds = z
  .number(`expected seconds, 1 to ${longestHookSeconds}`)
  .min(1, `expected seconds, 1 to ${longestHookSeconds}`)
  .max(longestHookSeconds, `expected seconds, 1 to ${longestHookSeconds}`);

const command = z.string('expected a command line').min(1, 'expected a command line').max(4_000);
const Hook = z.strictObject({ command, timeoutSeconds: seconds.default(defaultHookSeconds) });
const ToolHook = Hook.extend({
  /** Only for these tools; default: all. */
  tools: z.array(z.string('expected the name of a tool').min(1).max(64)).min(1, 'expected a tool').max(64).optional(),
});

/** Of one event in one file. */
const most = 10;

/**
 * The setting `hooks`:
 *
 * ```yaml
 * hooks:
 *   before-tool:
 *     - command: .codetether/hooks/guard.sh
 *       tools: [bash]
 *       timeoutSeconds: 10
 * ```
 */
export const HookSettings = z.strictObject({
  'session-start': z.array(Hook).max(most).default([]),
  'before-tool': z.array(ToolHook).max(most).default([]),
  'after-tool': z.array(ToolHook).max(most).default([]),
  'turn-end': z.array(Hook).max(most).default([]),
} satisfies Record<HookEvent, unknown>);
export type HookSettings = z.output<typeof HookSettings>;

export type Hook = z.output<typeof ToolHook>;

/** Hooks of a turn, as they were when its message was sent. */
export const TurnHooks = z.object({
  /** Where they run: the project's top folder. */
  folder: z.string(),
  hooks: HookSettings,
});
export type TurnHooks = z.output<typeof TurnHooks>;

/** Those for an event, in order; `tool` for the events of tool calls. */
export function hooksFor(settings: HookSettings, event: HookEvent, tool?: string): readonly Hook[] {
  const hooks: readonly Hook[] = settings[event];
  return hooks.filter(
    ({ tools }) => tools === undefined || tool === undefined || tool === batchTool || tools.includes(tool),
  );
}

const mostPoints = 40;

/** Where hooks of a turn hang, as short as a workflow can hold it: events, and `before-tool:bash` for those of some tools only. */
export function hookPoints(settings: HookSettings): readonly string[] {
  return hookEvents.flatMap((event) => {
    const hooks: readonly Hook[] = settings[event];
    if (hooks.length === 0) return [];
    const points = new Set(hooks.flatMap(({ tools }) => tools?.map((tool) => `${event}:${tool}`) ?? [event]));
    return points.has(event) || points.size > mostPoints ? [event] : [...points];
  });
}

/** The user's own run first. */
export function joinHooks(first: HookSettings, second: HookSettings): HookSettings {
  return {
    'session-start': [...first['session-start'], ...second['session-start']],
    'before-tool': [...first['before-tool'], ...second['before-tool']],
    'after-tool': [...first['after-tool'], ...second['after-tool']],
    'turn-end': [...first['turn-end'], ...second['turn-end']],
  };
}
