/** How a run stands and how it can end. Apart from the events, so that a program that starts quickly need not load zod. */

export const runOutcomes = [
  'completed',
  'quality-failed',
  'max-iterations',
  'budget-exceeded',
  'stopped',
  'cancelled',
  'error',
] as const;
export type RunOutcome = (typeof runOutcomes)[number];

export const activeStatuses = ['starting', 'running', 'paused', 'stopping'] as const;
export const runStatuses = [...activeStatuses, ...runOutcomes] as const;
export type RunStatus = (typeof runStatuses)[number];

export function isActive(status: RunStatus): status is (typeof activeStatuses)[number] {
  return (activeStatuses as readonly string[]).includes(status);
}
