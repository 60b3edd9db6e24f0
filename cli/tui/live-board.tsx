import { render } from 'ink';
import type { Board } from '../../domain/run/board.ts';
import { lookOf } from '../output/terminal.ts';
import type { LookEnvironment } from '../output/terminal.ts';
import { BoardFrame } from './board.tsx';
import type { BoardKey } from './board.tsx';
import { boardLines } from './board-lines.ts';

export interface LiveBoardOptions {
  readonly screen: NodeJS.WriteStream;
  readonly keyboard: NodeJS.ReadStream;
  readonly environment: LookEnvironment;
  readonly onKey: (key: BoardKey) => void;
}

export interface LiveBoard {
  /** Cheap: drawn at most ten times a second, and once a second for the clock. */
  readonly show: (board: Board, connection: string | null) => void;
  /** Draws the last frame, without keys, and gives the terminal back; nothing is drawn after it. */
  readonly close: () => Promise<void>;
}

const frameMs = 100;
const tickMs = 1_000;

/** Draws the board in place below what is on the screen. Nothing is drawn before the first `show`. */
export function openLiveBoard({ screen, keyboard, environment, onKey }: LiveBoardOptions): LiveBoard {
  const listen = keyboard.isTTY;
  let state: { readonly board: Board; readonly connection: string | null } | undefined;
  let instance: ReturnType<typeof render> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let drawnAtMs = 0;
  let closed = false;

  const draw = (keys: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    if (state === undefined) return;
    drawnAtMs = Date.now();
    const lines = boardLines(state.board, {
      look: lookOf(screen, environment),
      rows: screen.rows,
      nowMs: drawnAtMs,
      connection: state.connection,
      keys: keys && listen,
    });
    const agents = state.board.stories.filter((story) => story.state === 'running').map((story) => story.storyId);
    const frame = <BoardFrame lines={lines} listen={keys && listen} agents={agents} onKey={onKey} />;
    if (instance === undefined) {
      instance = render(frame, {
        stdout: screen,
        stdin: keyboard,
        exitOnCtrlC: false,
        patchConsole: false,
        maxFps: 1_000 / frameMs,
        // Decided by whoever opens the board; ink's own guess looks at CI variables.
        interactive: true,
      });
    } else {
      instance.rerender(frame);
    }
  };
  const soon = () => {
    timer ??= setTimeout(() => draw(true), Math.max(0, drawnAtMs + frameMs - Date.now()));
  };
  const ticker = setInterval(soon, tickMs);
  screen.on('resize', soon);

  return {
    show: (board, connection) => {
      if (closed) return;
      state = { board, connection };
      soon();
    },
    close: async () => {
      if (closed) return;
      closed = true;
      clearInterval(ticker);
      screen.off('resize', soon);
      draw(false);
      if (instance === undefined) return;
      await instance.waitUntilRenderFlush();
      instance.unmount();
      await instance.waitUntilExit();
    },
  };
}
