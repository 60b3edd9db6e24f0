import type { RunDetailView } from '../../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import type { RunEvent } from '../../../domain/run/events.ts';
import { isActive } from '../../../domain/run/status.ts';
import { printPaged } from '../../output/pager.ts';
import { plainLine } from '../../output/plain.ts';
import { inSigns } from '../../output/signs.ts';
import { streamJsonLine } from '../../output/stream-json.ts';
import { cleanLine, cleanOutputLine } from '../../output/text.ts';
import { ask, openContext, stdoutLook } from './context.ts';
import type { Context } from './context.ts';
import { findRunId } from './find-run.ts';
import { followRun } from './follow-run.ts';
import { reviver } from './revive.ts';

export interface LogsOptions {
  readonly prd?: string;
  readonly follow?: boolean;
  readonly sinceSeq?: number;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** `codetether ralph logs [run] [story]`: the event log on stdout, up to now or, with `follow`, to the run's end. */
export async function logs(
  first: string | undefined,
  second: string | undefined,
  options: LogsOptions,
): Promise<number> {
  const context = openContext();
  const { run, storyId } = await whatIsMeant(context, first, second, options);
  const { signs } = stdoutLook(context);
  const line = (event: RunEvent): string | undefined => {
    if (storyId !== undefined && event.storyId !== storyId) return undefined;
    if (options.json === true) return streamJsonLine(run.runId, event);
    const text = plainLine(run.runId, event, { verbose: options.verbose === true });
    return text === undefined ? undefined : inSigns(text, signs);
  };
  const sinceSeq = options.sinceSeq ?? 0;
  if (options.follow === true) return await follow(context, run.runId, sinceSeq, line);
  const lines: string[] = [];
  if (run.headSeq > sinceSeq) {
    for await (const event of context.client.events(run.runId, { sinceSeq })) {
      const text = line(event);
      if (text !== undefined) lines.push(text);
      if (event.seq >= run.headSeq) break;
    }
  }
  if (options.json !== true && storyId !== undefined) lines.push(...(await redChecks(context, run.runId, storyId)));
  await printPaged(context.stdout, lines, context.environment);
  return exitCodes.completed;
}

/** One argument can be a run or, where this repository has a run with such a story, a story. */
async function whatIsMeant(
  context: Context,
  first: string | undefined,
  second: string | undefined,
  { prd }: LogsOptions,
): Promise<{ readonly run: RunDetailView; readonly storyId: string | undefined }> {
  const get = (id: string) => ask(context, (client) => client.getRun(id));
  if (second !== undefined || first === undefined) {
    const run = await get(await findRunId(context, { run: first, prd }));
    return { run, storyId: second === undefined ? undefined : storyOf(run, second) };
  }
  try {
    return { run: await get(first), storyId: undefined };
  } catch (error) {
    if (!(error instanceof CodetetherError) || error.code !== 'not-found') throw error;
    const run = await get(await findRunId(context, { run: undefined, prd }));
    if (!run.stories.some((story) => story.storyId === first)) throw error;
    return { run, storyId: first };
  }
}

function storyOf(run: RunDetailView, storyId: string): string {
  if (run.stories.some((story) => story.storyId === storyId)) return storyId;
  const ids = run.stories.slice(0, 20).map((story) => story.storyId);
  throw new CodetetherError('not-found', `${run.runId} has no story ${storyId}`, {
    next: `Its stories: ${ids.join(', ')}`,
  });
}

async function follow(
  context: Context,
  runId: string,
  sinceSeq: number,
  line: (event: RunEvent) => string | undefined,
): Promise<number> {
  const { client, stdout, stderr } = context;
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave);
  stdout.on('error', leave);
  const say = (text: string) => void stderr.write(`${text}\n`);
  const followed = await followRun(
    { getRun: client.getRun, events: client.events, revive: reviver({ context, say, onStackDown: leave }) },
    {
      runId,
      sinceSeq,
      signal: leaving.signal,
      sink: {
        event: (event) => {
          const text = line(event);
          if (text !== undefined) stdout.write(`${text}\n`);
        },
        board: () => undefined,
        connection: (connected) => say(connected ? 'connection is back' : 'connection to the API lost, trying again'),
      },
    },
  );
  return isActive(followed.board.status) ? exitCodes.interrupted : exitCodes.completed;
}

/** What the newest attempt's red checks have written: the evidence. */
async function redChecks(context: Context, runId: string, storyId: string): Promise<string[]> {
  const { checks } = await context.client.getStory(runId, storyId);
  return checks.flatMap((check) =>
    check.output === null
      ? []
      : [
          '',
          `gate ${cleanLine(check.name)}: ${cleanLine(check.command)}`,
          ...check.output
            .trimEnd()
            .split('\n')
            .map((text) => `  ${cleanOutputLine(text)}`),
        ],
  );
}
