import { CodetetherError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';

/** @returns whether it was done: false when it failed for that reason */
export async function unless(code: ErrorCode, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof CodetetherError && error.code === code) return false;
    throw error;
  }
}
