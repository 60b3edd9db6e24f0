import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { OnAsk } from '../../../domain/run/approval.ts';
import type { StartRunRequest, StartRunResponse } from '../../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { uncheckedStories } from '../../../domain/ralph/parse-prd.ts';
import { isRemoteUrl } from '../../../domain/ralph/remote.ts';
import type { ParsedPrd } from '../../../domain/ralph/parse-prd.ts';
import { readPrdFile } from '../../../services/client/read-prd.ts';
import { formatElapsed } from '../../output/format.ts';
import { shellWord } from '../../output/final.ts';
import { inSigns } from '../../output/signs.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { cleanLine, counted, wrap } from '../../output/text.ts';
import { lookOf } from '../../output/terminal.ts';
import { absoluteModel, defaultModel } from '../model-option.ts';
import { openContext, print, startStack } from './context.ts';
import type { Context } from './context.ts';
import { runHandle } from './find-run.ts';
import type { OutputFormat } from './options.ts';
import { findRepository, realpath } from './repository.ts';
import { watchRun } from './watch.ts';

export interface RunOptions {
  readonly prd: string;
  readonly model?: string;
  readonly fallbackModel?: string;
  readonly branch?: string;
  readonly maxIterations?: number;
  readonly maxAttempts?: number;
  readonly maxSteps?: number;
  readonly maxConcurrent?: number;
  readonly maxCost?: number;
  readonly maxTokens?: number;
  readonly maxTotalSteps?: number;
  readonly maxTime?: number;
  readonly maxDisk?: number;
  readonly onAsk?: OnAsk;
  readonly askAt?: number;
  readonly askPlan?: boolean;
  readonly askMerge?: boolean;
  readonly detachOnAsk?: boolean;
  readonly askTimeout?: number;
  readonly remote?: string;
  readonly allowUnchecked?: boolean;
  readonly allowDirty?: boolean;
  readonly dryRun?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
  readonly outputFormat: OutputFormat;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/**
 * `codetether ralph run`. What can be found wrong without the stack is found before it is started.
 * @returns the exit status
 */
export async function run(options: RunOptions): Promise<number> {
  const context = openContext();
  requireAskable(options);
  const prdPath = realpath(resolve(context.cwd, options.prd));
  const model = absoluteModel(options.model ?? defaultModel(context, 'ralph run'), context.cwd);
  const { prd } = await readUsablePrd(prdPath, options.prd);
  if (findRepository(resolve(prdPath, '..')) === undefined) {
    throw new CodetetherError('not-a-repository', `the PRD is not in a git repository: ${prdPath}`);
  }
  const unchecked = uncheckedStories(prd).filter((story) => !story.passes);
  const allowUnchecked =
    options.allowUnchecked === true ||
    (unchecked.length > 0 &&
      options.dryRun !== true &&
      (await acceptsUnchecked(
        context,
        unchecked.map((story) => story.id),
      )));

  await startStack(context, 'apply');
  const started = await context.client.startRun(requestOf(options, { prdPath, model, allowUnchecked }, context));
  const outputFormat = options.json === true ? 'json' : options.outputFormat;
  const note = (text: string) => {
    if (options.quiet === true) return;
    const { signs, columns } = lookOf(context.stderr, context.environment);
    print(context.stderr, wrap(inSigns(text, signs), columns, 10, signs.ellipsis));
  };
  for (const warning of started.warnings) note(`warning: ${cleanLine(warning)}`);
  const { runId } = started.run;
  if (started.kind === 'planned' || options.detach === true) {
    if (outputFormat !== 'text') print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...started }))]);
    else if (started.kind === 'planned') print(context.stdout, planLines(started, options));
    else
      print(context.stdout, options.quiet === true ? [runId] : startedLines(started, await runHandle(context, runId)));
    return exitCodes.completed;
  }
  if (started.kind === 'attached') note(`attached to ${runId}: it ${aboutAttached(started.run)}`);
  return await watchRun(context, {
    runId,
    sinceSeq: started.afterSeq,
    outputFormat,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    detachOnAsk: options.detachOnAsk === true,
  });
}

/** Somebody is there to answer. */
function asksForAnswers({ askAt, askPlan, askMerge, detachOnAsk }: RunOptions): boolean {
  return askAt !== undefined || askPlan === true || askMerge === true || detachOnAsk === true;
}

function requireAskable({ askAt, askPlan, askMerge, maxCost, onAsk }: RunOptions): void {
  if (askAt !== undefined && maxCost === undefined)
    throw new CodetetherError('usage', '--ask-at is a share of --max-cost', {
      next: 'Add --max-cost, e.g. --max-cost 5.',
    });
  if (askPlan === true && onAsk === 'deny')
    throw new CodetetherError('usage', 'with --ask-plan and --on-ask deny nothing would be started', {
      next: 'Leave out one of the two.',
    });
  if (askMerge === true && onAsk === 'deny')
    throw new CodetetherError('usage', 'with --ask-merge and --on-ask deny nothing would be merged', {
      next: 'Leave out one of the two.',
    });
}

async function readUsablePrd(prdPath: string, given: string): Promise<ParsedPrd> {
  try {
    return await readPrdFile(prdPath);
  } catch (error) {
    if (!(error instanceof CodetetherError) || error.code !== 'prd-invalid') throw error;
    const { message, problems } = error;
    const next = `nothing was started. Check with: codetether ralph validate ${shellWord(given)}`;
    throw new CodetetherError('prd-invalid', message, { problems, next, cause: error });
  }
}

/** Asks on a terminal; off it the error says which flag accepts it. */
async function acceptsUnchecked({ stdin, stderr }: Context, ids: readonly string[]): Promise<boolean> {
  const named = ids.length > 5 ? `${ids.slice(0, 5).join(', ')} and ${ids.length - 5} more` : ids.join(', ');
  const refused = new CodetetherError('prd-unchecked', undefined, { problems: [`no check: ${named}`] });
  if (!stdin.isTTY || !stderr.isTTY) throw refused;
  const question = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await question.question(
      `${counted(ids.length, 'story has', 'stories have')} no check and would pass on the model's word: ${named}\nrun anyway? [y/N] `,
    );
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } finally {
    question.close();
  }
  throw refused;
}

function requestOf(
  options: RunOptions,
  checked: { readonly prdPath: string; readonly model: string; readonly allowUnchecked: boolean },
  { cwd, stdin, stderr }: Context,
): StartRunRequest {
  const {
    askAt,
    askTimeout,
    branch,
    fallbackModel,
    maxIterations,
    maxAttempts,
    maxSteps,
    maxConcurrent,
    maxCost,
    maxTokens,
    maxTotalSteps,
    maxTime,
    maxDisk,
    remote,
  } = options;
  return {
    kind: 'ralph',
    ...checked,
    ...(branch === undefined ? {} : { branch }),
    ...(fallbackModel === undefined ? {} : { fallbackModel: absoluteModel(fallbackModel, cwd) }),
    ...(maxIterations === undefined ? {} : { maxIterations }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    ...(maxCost === undefined ? {} : { maxCostUsd: maxCost }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxTotalSteps === undefined ? {} : { maxTotalSteps }),
    ...(maxTime === undefined ? {} : { maxTimeMs: maxTime }),
    ...(maxDisk === undefined ? {} : { maxDiskBytes: maxDisk }),
    ...(askTimeout === undefined ? {} : { askTimeoutMs: askTimeout }),
    ...(askAt === undefined ? {} : { askAtPercent: askAt }),
    ...(options.askPlan === true ? { askPlan: true } : {}),
    ...(options.askMerge === true ? { askMerge: true } : {}),
    // The API does not know this command's folder.
    ...(remote === undefined ? {} : { remote: isRemoteUrl(remote) ? remote : resolve(cwd, remote) }),
    onAsk: options.onAsk ?? ((stdin.isTTY && stderr.isTTY) || asksForAnswers(options) ? 'wait' : 'deny'),
    allowDirty: options.allowDirty === true,
    dryRun: options.dryRun === true,
  };
}

function planLines({ run, plan }: StartRunResponse, options: RunOptions): string[] {
  const width = Math.max(0, ...plan.map((story) => story.storyId.length));
  return [
    `${run.runId}: ${plan.length} of ${counted(run.total, 'story', 'stories')} would be worked on, branch ${cleanLine(run.branch)}, model ${cleanLine(run.model)}`,
    ...plan.map((story, index) => {
      const stage = plan[index - 1]?.stage === story.stage ? '' : `stage ${story.stage + 1}`;
      return `  ${stage.padEnd(8)}  ${story.storyId.padEnd(width)}  ${cleanLine(story.title)}`;
    }),
    `nothing was started. Start it with: codetether ralph run --prd ${shellWord(options.prd)}`,
  ];
}

function startedLines({ kind, run }: StartRunResponse, handle: string): string[] {
  const how =
    kind === 'attached'
      ? aboutAttached(run)
      : `started, ${run.passed} of ${counted(run.total, 'story', 'stories')} passed`;
  return [
    `${run.runId} ${how}, branch ${cleanLine(run.branch)}`,
    `  attach  codetether ralph attach ${handle}`,
    `  status  codetether ralph status ${handle}`,
    `  stop    codetether ralph stop ${handle}`,
  ];
}

function aboutAttached(run: StartRunResponse['run']): string {
  const sinceMs = Date.now() - Date.parse(run.startedAt);
  return `has been worked on for ${formatElapsed(sinceMs)}, ${run.passed} of ${counted(run.total, 'story', 'stories')} passed`;
}
