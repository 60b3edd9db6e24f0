import { CodetetherError } from '../../domain/errors.ts';

/** Dollars as PostgreSQL `numeric` text, exact to the nano-dollar. */
export function numericDollars(usd: number): string {
  if (!Number.isFinite(usd)) throw new CodetetherError('internal', `an amount of money is not finite: ${usd}`);
  return usd.toFixed(9);
}
