import { setTimeout as delay } from 'node:timers/promises';
import { catchUp, emptyBoard, reduceBoard } from '../../../domain/run/board.ts';
import type { Board } from '../../../domain/run/board.ts';
import type { RunDetailView } from '../../../domain/contracts/api.ts';
import type { RunEvent } from '../../../domain/run/events.ts';
import { asCodetetherError } from '../../../domain/errors.ts';
import { isActive } from '../../../domain/run/status.ts';

/** Where a run's progress is shown. Calls come in order and must not throw. */
export interface ProgressSink {
  /** Every event once, after `sinceSeq`. */
  readonly event: (event: RunEvent) => void;
  /** The board after each change; first when it has caught up with the log. */
  readonly board: (board: Board) => void;
  /** False: the API does not answer, tries go on; true: it is back. */
  readonly connection: (connected: boolean) => void;
}

export interface FollowDeps {
  readonly getRun: (runId: string) => Promise<RunDetailView>;
  /**
   * Events after `sinceSeq` in order, over lost connections; ends after `run-ended` of the newest execution, and
   * throws what a try again cannot mend.
   */
  readonly events: (
    runId: string,
    options: {
      readonly sinceSeq: number;
      readonly signal: AbortSignal;
      readonly onConnection: (connected: boolean) => void;
    },
  ) => AsyncIterable<RunEvent>;
  /** Called while the API has not answered for `lostMs`, until it is back. Never throws. */
  readonly revive: () => Promise<void>;
}

export interface FollowOptions {
  readonly runId: string;
  /** The sink gets events after this one. */
  readonly sinceSeq: number;
  readonly signal: AbortSignal;
  readonly sink: ProgressSink;
  readonly lostMs?: number;
}

export interface Followed {
  /** `ended`: the run is over; `left`: `signal` was raised and the run goes on. */
  readonly kind: 'ended' | 'left';
  readonly board: Board;
}

/** What a board that joins late reads again to know what is going on right now. */
const replayEvents = 3_000;
const retryMs = 200;

/**
 * Shows a run until it ends or `signal` is raised. Outlives every failure of the API: events are asked for again from
 * the last one that was seen, each is shown once.
 */
export async function followRun(
  deps: FollowDeps,
  { runId, sinceSeq, signal, sink, lostMs = 2_000 }: FollowOptions,
): Promise<Followed> {
  const watch = reviveWhenLost(deps, sink, lostMs);
  const getRun = () => untilAnswered(() => deps.getRun(runId), signal, watch.change);
  const run = await getRun().catch((error: unknown) => {
    watch.close();
    throw error;
  });
  let board = emptyBoard(run);
  let seen = Math.min(sinceSeq, Math.max(0, run.headSeq - replayEvents));
  // Up to the snapshot the log is read as a whole, then event by event.
  let replay: RunEvent[] | undefined = [];
  const joined = () => {
    if (replay === undefined) return;
    board = catchUp(board, replay);
    replay = undefined;
    sink.board(board);
  };
  try {
    if (run.headSeq <= seen) joined();
    while (!signal.aborted) {
      for await (const event of deps.events(runId, { sinceSeq: seen, signal, onConnection: watch.change })) {
        if (event.seq <= seen) continue;
        seen = event.seq;
        if (event.seq > sinceSeq) sink.event(event);
        if (replay === undefined) {
          board = reduceBoard(board, event);
          sink.board(board);
        } else {
          replay.push(event);
          if (event.seq >= run.headSeq) joined();
        }
      }
      if (signal.aborted) break;
      joined();
      if (!isActive(board.status)) return { kind: 'ended', board };
      // The stream ended and the log does not say why: the run itself knows.
      const now = await getRun();
      if (!isActive(now.status) && now.headSeq <= seen) return { kind: 'ended', board: emptyBoard(now) };
      await delay(retryMs, undefined, { signal });
    }
    return { kind: 'left', board };
  } catch (error) {
    if (signal.aborted) return { kind: 'left', board };
    throw error;
  } finally {
    watch.close();
  }
}

/** Asks again while nobody answers. @throws what asking again cannot mend, and anything once `signal` is raised */
async function untilAnswered<T>(
  question: () => Promise<T>,
  signal: AbortSignal,
  onConnection: (connected: boolean) => void,
): Promise<T> {
  for (;;) {
    try {
      const answer = await question();
      onConnection(true);
      return answer;
    } catch (error) {
      if (signal.aborted || !asCodetetherError(error).entry.retryable) throw error;
      onConnection(false);
      await delay(retryMs, undefined, { signal });
    }
  }
}

/** Passes on changes of the connection, and calls `revive` while it stays lost. */
function reviveWhenLost(
  deps: Pick<FollowDeps, 'revive'>,
  sink: Pick<ProgressSink, 'connection'>,
  lostMs: number,
): { readonly change: (connected: boolean) => void; readonly close: () => void } {
  let lost = false;
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    timer = setTimeout(() => void deps.revive().then(() => lost && wait()), lostMs);
  };
  return {
    change: (connected) => {
      if (connected !== lost) return;
      lost = !connected;
      clearTimeout(timer);
      sink.connection(connected);
      if (lost) wait();
    },
    close: () => {
      lost = false;
      clearTimeout(timer);
    },
  };
}
