import type { RunEvent } from '../../domain/run/events.ts';
import { createBell, whenReachable } from './bell.ts';
import type { ApiDeps } from './deps.ts';

export interface EventPagesOptions {
  readonly runId: string;
  readonly afterSeq: number;
  /** After this long without an event an empty page is given. */
  readonly pingMs: number;
  /** True when nothing comes any more after the event `seen`. */
  readonly isOver: (seen: number) => Promise<boolean>;
  /** Ends the pages; they hold nothing afterwards. */
  readonly signal: AbortSignal;
}

const pageSize = 200;

/**
 * A run's events after `afterSeq`, in order and without gaps: what is in the log, then what comes, until it
 * is over. Reads the next page when the last one was taken. A database that goes away and
 * comes back is waited for.
 */
export async function* runEventPages(
  deps: Pick<ApiDeps, 'store'>,
  options: EventPagesOptions,
): AsyncGenerator<readonly RunEvent[], void, undefined> {
  const { runId, signal } = options;
  const bell = createBell(signal);
  const leave = await deps.store.watchRunEvents((appended) => {
    if (appended === null || appended === runId) bell.ring();
  });
  try {
    let seen = options.afterSeq;
    let mayBeOver = true;
    while (!signal.aborted) {
      bell.silence();
      const page = await whenReachable(signal, async () => {
        return await deps.store.readRunEvents(runId, { afterSeq: seen, limit: pageSize });
      });
      const last = page?.at(-1);
      if (page !== undefined && last !== undefined) {
        seen = last.seq;
        mayBeOver ||= last.kind === 'run-ended' || last.kind === 'turn-ended';
        yield page;
        if (page.length === pageSize) continue;
      }
      if (mayBeOver && (await whenReachable(signal, async () => await options.isOver(seen)))) return;
      // A quiet run is looked at now and then: the engine may have ended it without a word.
      mayBeOver = !(await bell.heard(options.pingMs));
      if (mayBeOver && !signal.aborted) yield [];
    }
  } finally {
    await leave();
  }
}
