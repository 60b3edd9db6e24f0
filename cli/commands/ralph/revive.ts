import { asCodetetherError } from '../../../domain/errors.ts';
import type { Context } from './context.ts';

/** So long a stack may be gone on the way to a newer build before it counts as stopped by its owner. */
const stoppedAfterMs = 10_000;

export interface ReviverOptions {
  readonly context: Context;
  readonly say: (text: string) => void;
  /** `codetether down` was called: nobody wants the stack now. */
  readonly onStackDown: () => void;
}

/**
 * What to do while the API stays away: a stack that was killed is started again, one that its owner has stopped is left
 * alone. Never throws; says what it does.
 */
export function reviver({ context, say, onStackDown }: ReviverOptions): () => Promise<void> {
  let stoppedSinceMs: number | undefined;
  return async () => {
    const { dataDir } = context;
    try {
      const [{ readState }, { askSupervisor }, { ensureStack }] = await Promise.all([
        import('../../../services/stack/state.ts'),
        import('../../../services/stack/control.ts'),
        import('../../../services/stack/ensure-stack.ts'),
      ]);
      const reply = await askSupervisor(dataDir, { op: 'state' }, { timeoutMs: 2_000 });
      const isStopped = reply?.kind === 'stopping' || (reply === undefined && (await readState(dataDir)) === undefined);
      if (isStopped) {
        stoppedSinceMs ??= Date.now();
        if (Date.now() - stoppedSinceMs >= stoppedAfterMs) onStackDown();
        return;
      }
      stoppedSinceMs = undefined;
      if (reply === undefined) say('the local stack was killed; starting it again');
      await ensureStack({ settings: 'keep', onProgress: ({ kind, text }) => void (kind === 'note' && say(text)) });
    } catch (error) {
      say(`the local stack does not come up: ${asCodetetherError(error).message}; trying again`);
    }
  };
}
