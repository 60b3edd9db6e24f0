import type { StoryDetailView } from '../../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { inSigns } from '../../output/signs.ts';
import { storyLines } from '../../output/story.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { cleanOutputLine } from '../../output/text.ts';
import { ask, openContext, print, stdoutLook } from './context.ts';
import type { Context } from './context.ts';
import { findRunId } from './find-run.ts';

export interface ShowOptions {
  readonly prd?: string;
  readonly log?: string;
  readonly json?: boolean;
}

/** `codetether ralph show <story> [run]`. */
export async function show(storyId: string, run: string | undefined, options: ShowOptions): Promise<number> {
  const context = openContext();
  const id = await findRunId(context, { run, prd: options.prd });
  const story = await ask(context, (client) => client.getStory(id, storyId));
  print(context.stdout, await lines(context, story, options));
  return exitCodes.completed;
}

async function lines(context: Context, story: StoryDetailView, options: ShowOptions): Promise<readonly string[]> {
  if (options.log !== undefined) {
    const log = (await logOf(context, story, options.log)).trimEnd();
    return options.json === true
      ? [JSON.stringify({ schema_version: 1, log })]
      : log.split('\n').map((line) => cleanOutputLine(line));
  }
  if (options.json === true) return [JSON.stringify(snakeKeys({ schemaVersion: 1, ...story }))];
  const hasChange = story.checks.some((check) => check.name === 'change');
  const changes = hasChange ? (await logOf(context, story, 'change')).split('\n') : [];
  const { signs } = stdoutLook(context);
  return storyLines(story, changes).map((line) => inSigns(line, signs));
}

async function logOf(context: Context, story: StoryDetailView, name: string): Promise<string> {
  const check = story.checks.findLast((candidate) => candidate.name === name);
  if (check !== undefined) return (await context.client.getCheckLog(story.runId, story.storyId, check.log)).log;
  const names = [...new Set(story.checks.map((candidate) => candidate.name))];
  throw new CodetetherError('not-found', `${story.storyId} has no check ${name}`, {
    next: names.length === 0 ? 'Nothing was checked yet.' : `There are ${names.join(', ')}.`,
  });
}
