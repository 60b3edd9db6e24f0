import type { Board } from '../../../domain/run/board.ts';
import type { LookEnvironment } from '../../output/terminal.ts';
import { lookOf } from '../../output/terminal.ts';
import { plainLine } from '../../output/plain.ts';
import { formatClock } from '../../output/format.ts';
import { inSigns } from '../../output/signs.ts';
import { streamJsonLine } from '../../output/stream-json.ts';
import type { ProgressSink } from './follow-run.ts';
import type { BoardKey } from '../../tui/board.tsx';

/** A sink that can be closed and that the command can speak through. */
export interface Progress extends ProgressSink {
  /** A line about the command itself, e.g. that the stack is being started again. */
  readonly say: (text: string) => void;
  /** Gives the terminal back; nothing may follow. */
  readonly close: () => Promise<void>;
}

export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Nothing but what must be said. */
export function quietProgress({ stderr }: Pick<Streams, 'stderr'>): Progress {
  return {
    event: () => undefined,
    board: () => undefined,
    connection: () => undefined,
    say: (text) => void stderr.write(`${text}\n`),
    close: () => Promise.resolve(),
  };
}

/** One line for each event. */
export function plainProgress(
  { stderr }: Pick<Streams, 'stderr'>,
  options: { readonly runId: string; readonly verbose: boolean; readonly environment: LookEnvironment },
): Progress {
  const { signs } = lookOf(stderr, options.environment);
  const write = (text: string) => void stderr.write(`${inSigns(text, signs)}\n`);
  return {
    event: (event) => {
      const line = plainLine(options.runId, event, { verbose: options.verbose });
      if (line !== undefined) write(line);
    },
    board: () => undefined,
    connection: (connected) =>
      write(`${clockNow()} ${connected ? 'connection is back' : 'connection to the API lost, trying again'}`),
    say: (text) => write(`${clockNow()} ${text}`),
    close: () => Promise.resolve(),
  };
}

/** NDJSON on stdout; what is about the command goes to stderr. */
export function streamProgress(
  streams: Pick<Streams, 'stdout' | 'stderr'>,
  options: { readonly runId: string; readonly quiet: boolean },
): Progress {
  const note = (text: string) => {
    if (!options.quiet) streams.stderr.write(`${text}\n`);
  };
  return {
    event: (event) => void streams.stdout.write(`${streamJsonLine(options.runId, event)}\n`),
    board: () => undefined,
    connection: (connected) => note(connected ? 'connection is back' : 'connection to the API lost, trying again'),
    say: note,
    close: () => Promise.resolve(),
  };
}

/** How long a mended connection, and what the command says of itself, is worth a line. */
const backShownMs = 30_000;

/** The live board on a terminal. Loads ink. */
export async function boardProgress(
  streams: Streams,
  options: { readonly environment: LookEnvironment; readonly onKey: (key: BoardKey) => void },
): Promise<Progress> {
  const { openLiveBoard } = await import('../../tui/live-board.tsx');
  const live = openLiveBoard({
    screen: streams.stderr,
    keyboard: streams.stdin,
    environment: options.environment,
    onKey: options.onKey,
  });
  let board: Board | undefined;
  let line: string | null = null;
  let lostAt = '';
  let clear: NodeJS.Timeout | undefined;
  let lost: string | null = null;
  const show = () => {
    if (board !== undefined) live.show(board, line);
  };
  const say = (text: string | null) => {
    clearTimeout(clear);
    line = text;
    show();
  };
  return {
    event: () => undefined,
    board: (next) => {
      board = next;
      show();
    },
    connection: (connected) => {
      if (!connected) {
        lostAt = clockNow();
        lost = `connection lost ${lostAt}, trying again; the run does not need it`;
        say(lost);
        return;
      }
      lost = null;
      say(`connection lost ${lostAt}, back since ${clockNow()}`);
      clear = setTimeout(() => say(null), backShownMs);
    },
    say: (text) => {
      say(text);
      clear = setTimeout(() => say(lost), backShownMs);
    },
    close: async () => {
      clearTimeout(clear);
      line = null;
      show();
      await live.close();
    },
  };
}

function clockNow(): string {
  return formatClock(new Date().toISOString());
}
