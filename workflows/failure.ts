import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** The catalogue code and message of a failed activity; undefined for anything else. */
export function activityError(error: unknown): { readonly code: string; readonly message: string } | undefined {
  if (!(error instanceof ActivityFailure)) return undefined;
  const cause = error.cause;
  if (cause instanceof ApplicationFailure) return { code: cause.type ?? 'internal', message: cause.message };
  return { code: 'internal', message: cause?.message ?? error.message };
}
