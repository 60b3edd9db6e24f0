import { passedCount } from '../../domain/run/board.ts';
import { isWorkedOn } from '../../domain/run/board-story.ts';
import type { Board } from '../../domain/run/board.ts';
import type { BoardStory } from '../../domain/run/board-story.ts';
import type { RunOutcome } from '../../domain/run/status.ts';
import { exitCodes } from '../../domain/errors.ts';
import { formatCost, formatDuration, formatTokens, shortCommit, unknown } from './format.ts';
import { gateNotes } from './gate-notes.ts';
import { inSigns } from './signs.ts';
import { paint } from './terminal.ts';
import type { Look, Style } from './terminal.ts';
import { cleanLine, counted } from './text.ts';

/** What the shell is told when a run has ended. */
export function exitCodeOf(outcome: RunOutcome): number {
  switch (outcome) {
    case 'completed':
      return exitCodes.completed;
    case 'quality-failed':
      return exitCodes.qualityFailed;
    case 'max-iterations':
      return exitCodes.maxIterations;
    case 'budget-exceeded':
      return exitCodes.budgetExceeded;
    case 'stopped':
    case 'cancelled':
    case 'error':
      return exitCodes.error;
  }
}

export interface FinalContext {
  readonly look: Look;
  /** How the person would name the PRD here. */
  readonly prdPath: string;
  /** The shortest id that names the run. */
  readonly handle: string;
}

/** Stories that are told about one by one; the rest is counted. */
const maxStoriesShown = 10;

/** The end of a run for people: what has passed, what has not and why, what is kept, and the next command. */
export function finalLines(board: Board, { look, prdPath, handle }: FinalContext): string[] {
  const open = board.stories.filter((story) => story.state !== 'passed');
  const failed = open.filter((story) => story.state === 'failed');
  const others = open.filter((story) => story.state !== 'failed');
  return [
    headline(board, look),
    ...limited(failed, (story) => failedLines(story, handle, look), handle, look),
    ...limited(others, (story) => [otherLine(board, story, look)], handle, look),
    ...resultLines(board, open.length > 0, { look, prdPath, handle }),
  ].map((line) => inSigns(line, look.signs));
}

function headline(board: Board, look: Look): string {
  const { signs } = look;
  const ended = board.ended;
  const outcome = board.status;
  const [sign, style]: readonly [string, Style] =
    outcome === 'completed'
      ? [signs.passed, 'good']
      : outcome === 'error'
        ? [signs.failed, 'bad']
        : outcome === 'stopped' || outcome === 'cancelled'
          ? [signs.paused, 'warn']
          : [signs.warning, 'warn'];
  const durationMs =
    ended?.durationMs ?? (board.endedAt === null ? null : Date.parse(board.endedAt) - Date.parse(board.startedAt));
  const tokens = ended?.tokens ?? board.spentTokens;
  const cost = formatCost({ usd: ended?.costUsd ?? board.spentUsd, tokens });
  const numbers = [
    `${passedCount(board)} of ${counted(board.stories.length, 'story', 'stories')} passed in ${durationMs === null ? unknown : formatDuration(durationMs)}`,
    `${formatTokens(tokens)} tokens`,
    cost === unknown ? `cost ${unknown}` : cost,
  ].join(` ${signs.separator} `);
  const why = outcome === 'completed' || outcome === 'quality-failed' ? '' : `${outcome}: `;
  const message = why === '' || board.message === '' ? '' : `\n  ${cleanLine(board.message)}`;
  return `${paint(sign, style, look)} ${paint(`${why}${numbers}`, 'bold', look)}${message}`;
}

function failedLines(story: BoardStory, handle: string, look: Look): string[] {
  return [
    `${paint(look.signs.failed, 'bad', look)} ${story.storyId} ${cleanLine(story.title)}: failed after ${counted(story.attempts, 'attempt')}`,
    ...(story.problem === null ? [] : [`    ${cleanLine(story.problem)}`]),
    ...(story.workspace === null ? [] : [`    worktree  ${story.workspace}`]),
    `    evidence  codetether ralph logs ${handle} ${story.storyId}`,
    `    try again codetether ralph retry ${story.storyId} ${handle} --hint "${look.signs.ellipsis}"`,
  ];
}

function otherLine(board: Board, story: BoardStory, look: Look): string {
  const say = () => {
    if (story.state === 'blocked')
      return story.blockedBy.length === 0 ? 'blocked' : `blocked by ${story.blockedBy.join(', ')}`;
    if (isWorkedOn(story)) return 'not finished';
    if (story.attempts === 0) return 'not started';
    return `not finished after ${counted(story.attempts, 'attempt')}${story.problem === null ? '' : `: ${cleanLine(story.problem)}`}`;
  };
  return `${paint(look.signs.waiting, 'dim', look)} ${story.storyId} ${cleanLine(story.title)}: ${say()}`;
}

function limited(
  stories: readonly BoardStory[],
  lines: (story: BoardStory) => string[],
  handle: string,
  look: Look,
): string[] {
  const shown = stories.length > maxStoriesShown + 1 ? stories.slice(0, maxStoriesShown) : stories;
  const hidden = stories.length - shown.length;
  const more =
    hidden === 0 ? [] : [`${look.signs.ellipsis} ${hidden} more like these: codetether ralph status ${handle}`];
  return [...shown.flatMap(lines), ...more];
}

function resultLines(board: Board, isIncomplete: boolean, { look, prdPath, handle }: FinalContext): string[] {
  const commits = board.ended?.commits ?? null;
  const isGreen = (board.gates?.length ?? 0) > 0 && gateNotes(board).length === 0;
  const gates = commits !== 0 && board.tip !== null && isGreen ? ', gates green on its tip' : '';
  const branch = cleanLine(board.branch);
  const tip = board.tip === null ? '' : ` ${shortCommit(board.tip)}`;
  const result =
    commits === 0 ? 'no commit' : `${commits === null ? `${unknown} commits` : counted(commits, 'commit')}${gates}`;
  return [
    `branch ${branch}${tip}, ${result}`,
    ...gateNotes(board).map(([name, text]) => `${name.padEnd(6)} ${text}`),
    ...(board.uiUrl === null ? [] : [`ui     ${paint(board.uiUrl, 'dim', look)}`]),
    ...(commits === 0 ? [] : [`next   git merge ${shellWord(branch)}`]),
    ...(isIncomplete
      ? [
          `${commits === 0 ? 'next   ' : '  or   '}${goOnCommand(board, prdPath, handle)}     goes on with what has not passed`,
        ]
      : []),
  ];
}

/** With the flag that a further execution needs to come further than this one. */
function goOnCommand(board: Board, prdPath: string, handle: string): string {
  if (board.status === 'budget-exceeded') {
    const caps = ['max-tokens', 'max-time', 'max-total-steps', 'max-cost'];
    const cap = caps.find((name) => board.message.includes(name)) ?? 'max-cost';
    return `codetether ralph resume ${handle} --${cap} <more>`;
  }
  const more = board.status === 'max-iterations' ? ' --max-iterations <more>' : '';
  return `codetether ralph run --prd ${shellWord(prdPath)}${more}`;
}

/** Quoted for a shell where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A run that waits for a person, as one JSON value. */
export function waitingJson(board: Board): { readonly [key: string]: unknown } {
  return {
    ...finalJson(board),
    outcome: 'waiting-for-person',
    approvals: board.approvals.map(({ id, storyId, kind, question, choices, defaultChoice, since, until }) => ({
      id,
      story_id: storyId === '' ? null : storyId,
      kind,
      question,
      choices,
      default_choice: defaultChoice,
      since,
      until,
    })),
  };
}

/** The same as one JSON value for `--json`; keys are wire format. */
export function finalJson(board: Board): { readonly [key: string]: unknown } {
  const ended = board.ended;
  return {
    schema_version: 1,
    run_id: board.runId,
    outcome: board.status,
    message: board.message,
    passed: passedCount(board),
    total: board.stories.length,
    branch: board.branch,
    base: board.base,
    tip: board.tip,
    commits: ended?.commits ?? null,
    tokens: ended?.tokens ?? board.spentTokens,
    cost_usd: ended?.costUsd ?? board.spentUsd,
    duration_ms: ended?.durationMs ?? null,
    ui_url: board.uiUrl,
    flaky_gates: board.flakyGates,
    red_gates: board.redGates,
    stories: board.stories.map((story) => ({
      story_id: story.storyId,
      title: story.title,
      status: isWorkedOn(story) ? 'open' : story.state,
      attempts: story.attempts,
      commit: story.commit,
      problem: story.problem,
      blocked_by: story.blockedBy,
      workspace: story.workspace,
      tokens: story.tokens,
      cost_usd: story.costUsd,
      duration_ms: story.durationMs,
    })),
  };
}
