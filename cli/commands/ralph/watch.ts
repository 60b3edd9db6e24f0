import { relative } from 'node:path';
import { askedBy } from '../../../domain/run/approval.ts';
import { waitsForPerson } from '../../../domain/run/board.ts';
import type { Board } from '../../../domain/run/board.ts';
import { isWorkedOn } from '../../../domain/run/board-story.ts';
import { exitCodes, asCodetetherError } from '../../../domain/errors.ts';
import type { SteerVerb } from '../../../domain/contracts/api.ts';
import { isActive } from '../../../domain/run/status.ts';
import { exitCodeOf, finalJson, finalLines, waitingJson } from '../../output/final.ts';
import { answerCommands } from '../../output/questions.ts';
import { inSigns } from '../../output/signs.ts';
import { lookOf } from '../../output/terminal.ts';
import { cleanLine, counted } from '../../output/text.ts';
import type { BoardKey } from '../../tui/board.tsx';
import { print, stdoutLook, supervisorAnswers } from './context.ts';
import type { Context } from './context.ts';
import { runHandle } from './find-run.ts';
import { followRun } from './follow-run.ts';
import type { OutputFormat } from './options.ts';
import { boardProgress, plainProgress, quietProgress, streamProgress } from './progress.ts';
import type { Progress } from './progress.ts';
import { reviver } from './revive.ts';

export interface WatchOptions {
  readonly runId: string;
  /** Progress lines and NDJSON begin after this event. */
  readonly sinceSeq: number;
  readonly outputFormat: OutputFormat;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Go when the run waits for a person and nothing else goes on. */
  readonly detachOnAsk: boolean;
}

/** Why the command goes although the run goes on. */
type Leaving = 'asked' | 'stack-down' | 'person-asked';

/** What a question has held up so long is not about to go on by itself, as by a further story that starts. */
const waitingMs = 2_000;

/** The API answers also while nobody restarts what dies: who watches looks after that. */
const superviseMs = 5_000;

const leaveSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Shows the run until it ends, then its result on stdout; returns the exit status. Ctrl-C, SIGTERM and a closed
 * terminal leave the run running.
 */
export async function watchRun(context: Context, options: WatchOptions): Promise<number> {
  const { client, stdout } = context;
  const { runId } = options;
  const handle = await runHandle(context, runId);
  const leaving = new AbortController();
  const leave = () => leaving.abort('asked' satisfies Leaving);
  for (const signal of leaveSignals) process.on(signal, leave);
  stdout.on('error', leave);

  const leaveOnAsk = whenWaiting(options.detachOnAsk, () => leaving.abort('person-asked' satisfies Leaving));
  let latest: Board | undefined;
  const onKey = (key: BoardKey) => {
    if (key === 'leave') leave();
    else if (typeof key === 'object') void nudge(key.storyId, key.nudge);
    else void steer(key === 'stop' ? 'stop' : latest?.status === 'paused' ? 'resume' : 'pause');
  };
  const progress = await openProgress(context, options, onKey);
  const steer = async (verb: SteerVerb) => {
    try {
      await client.steer(runId, verb);
    } catch (error) {
      progress.say(`${verb}: ${asCodetetherError(error).message}`);
    }
  };
  const nudge = async (storyId: string, text: string) => {
    try {
      await client.tellStory(runId, storyId, 'nudge', text);
      progress.say(`${storyId} is told before its next step`);
    } catch (error) {
      progress.say(`nudge: ${asCodetetherError(error).message}`);
    }
  };
  const revive = reviver({
    context,
    say: progress.say,
    onStackDown: () => leaving.abort('stack-down' satisfies Leaving),
  });
  const supervision = setInterval(() => {
    void supervisorAnswers(context).then((answers) => (answers ? undefined : revive()));
  }, superviseMs);
  try {
    const followed = await followRun(
      { getRun: client.getRun, events: client.events, revive },
      {
        runId,
        sinceSeq: options.sinceSeq,
        signal: leaving.signal,
        sink: {
          ...progress,
          board: (board) => {
            latest = board;
            leaveOnAsk(board);
            progress.board(board);
          },
        },
      },
    );
    await progress.close();
    if (followed.kind === 'left') {
      const why = leaving.signal.reason as Leaving;
      if (why === 'person-asked') return leftWaiting(context, followed.board, options.outputFormat, handle);
      return leftRunning(context, followed.board, handle, why);
    }
    return finished(context, followed.board, options.outputFormat, handle);
  } finally {
    clearInterval(supervision);
    leaveOnAsk(undefined);
    // After an error, too, the terminal is given back; a second close does nothing.
    await progress.close();
    for (const signal of leaveSignals) process.off(signal, leave);
    stdout.off('error', leave);
  }
}

function openProgress(context: Context, options: WatchOptions, onKey: (key: BoardKey) => void): Promise<Progress> {
  const { runId, verbose, quiet } = options;
  const { environment, stderr } = context;
  if (options.outputFormat === 'stream-json') return Promise.resolve(streamProgress(context, { runId, quiet }));
  if (quiet) return Promise.resolve(quietProgress(context));
  if (!verbose && stderr.isTTY && environment['TERM'] !== 'dumb') return boardProgress(context, { environment, onKey });
  return Promise.resolve(plainProgress(context, { runId, verbose, environment }));
}

function finished(context: Context, board: Board, outputFormat: OutputFormat, handle: string): number {
  if (outputFormat === 'json') print(context.stdout, [JSON.stringify(finalJson(board))]);
  if (outputFormat === 'text') {
    // The board, if there was one, is still on the screen.
    if (context.stderr.isTTY && context.stdout.isTTY) print(context.stderr, ['']);
    print(context.stdout, finalLines(board, { look: stdoutLook(context), prdPath: shownPath(context, board), handle }));
  }
  return isActive(board.status) ? exitCodes.error : exitCodeOf(board.status);
}

/** Calls back once the run has waited for a person, and for nothing else, for a while; `undefined`: never any more. */
function whenWaiting(isWanted: boolean, callBack: () => void): (board: Board | undefined) => void {
  let timer: NodeJS.Timeout | undefined;
  return (board) => {
    const isWaiting = isWanted && board !== undefined && waitsForPerson(board);
    if (isWaiting) timer ??= setTimeout(callBack, waitingMs);
    else {
      clearTimeout(timer);
      timer = undefined;
    }
  };
}

/** What is asked goes to stdout: it is the result. */
function leftWaiting(context: Context, board: Board, outputFormat: OutputFormat, handle: string): number {
  const { signs } = lookOf(context.stderr, context.environment);
  if (outputFormat === 'json') print(context.stdout, [JSON.stringify(waitingJson(board))]);
  if (outputFormat === 'text')
    print(
      context.stdout,
      board.approvals.map(
        (asked) => `${askedBy(asked.storyId)} ${cleanLine(asked.question)}: ${answerCommands(asked)}`,
      ),
    );
  const lines = ['left running: it waits for a person', `    attach  codetether ralph attach ${handle}`];
  print(
    context.stderr,
    lines.map((line) => inSigns(line, signs)),
  );
  return exitCodes.waitingForPerson;
}

function leftRunning(context: Context, board: Board | undefined, handle: string, why: Leaving): number {
  const { signs } = lookOf(context.stderr, context.environment);
  const busy = board?.stories.filter(isWorkedOn).length ?? 0;
  const worked = busy === 0 ? '' : `: ${counted(busy, 'story is', 'stories are')} being worked on`;
  const lines =
    why === 'stack-down'
      ? [
          'the local stack was stopped; the run goes on when it is back',
          `    go on   codetether ralph attach ${handle}`,
        ]
      : [
          `left running${worked}`,
          `    attach  codetether ralph attach ${handle}`,
          `    stop    codetether ralph stop ${handle}`,
        ];
  print(
    context.stderr,
    lines.map((line) => inSigns(line, signs)),
  );
  return why === 'stack-down' ? exitCodes.temporary : exitCodes.interrupted;
}

/** The PRD as the person would name it from here. */
function shownPath(context: Context, board: Board): string {
  const path = relative(context.cwd, board.prdPath);
  return path === '' || path.startsWith('..') ? board.prdPath : path;
}
