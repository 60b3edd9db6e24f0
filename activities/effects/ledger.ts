import type { z } from 'zod';
import type { EffectIdentity, EffectStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';

type LedgerStore = Pick<EffectStore, 'beginEffect' | 'settleEffect'>;

interface LedgerEntry<Input, Frozen> {
  readonly identify: (input: Input) => Omit<EffectIdentity, 'kind'>;
  readonly kind: EffectIdentity['kind'];
  /** The outcomes that are frozen; after another one nothing has happened, and the next try may come out otherwise. `null` stands for nothing. */
  readonly frozen: z.ZodType<Frozen>;
}

/**
 * An effect that finds out by itself whether it has happened before: written down before it runs, run again when nobody
 * knows how it ended, never run again once its outcome is frozen.
 */
export function ledgered<Input, Outcome, Frozen extends Outcome>(
  store: LedgerStore,
  entry: LedgerEntry<Input, Frozen>,
  run: (input: Input) => Promise<Outcome>,
): (input: Input) => Promise<Outcome> {
  return async (input) => {
    const effect: EffectIdentity = { ...entry.identify(input), kind: entry.kind };
    const beginning = await store.beginEffect(effect);
    if (beginning.kind === 'done') return entry.frozen.parse(beginning.outcome);
    const outcome = await run(input);
    const isFinal = entry.frozen.safeParse(outcome ?? null).success;
    await store.settleEffect(effect.key, isFinal ? { state: 'done', outcome } : { state: 'interrupted' });
    return outcome;
  };
}

/**
 * For an effect that cannot be looked up afterwards: writes it down, and refuses when somebody began it before and nobody
 * knows how it ended. Throws `outcome-unknown`.
 */
export async function beginOnce(store: LedgerStore, effect: EffectIdentity): Promise<void> {
  const beginning = await store.beginEffect(effect);
  if (beginning.kind === 'begun') return;
  throw new CodetetherError('outcome-unknown', `${effect.key} was begun before, and how it ended is not known`);
}
