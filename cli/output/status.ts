import { passedCount, waitingText, waitsFor } from '../../domain/run/board.ts';
import { askedBy } from '../../domain/run/approval.ts';
import { isWorkedOn } from '../../domain/run/board-story.ts';
import type { Board } from '../../domain/run/board.ts';
import type { BoardStory } from '../../domain/run/board-story.ts';
import { isActive } from '../../domain/run/status.ts';
import {
  formatClock,
  formatDuration,
  formatElapsed,
  formatSpent,
  formatTokens,
  shortCommit,
  unknown,
} from './format.ts';
import { gateNotes } from './gate-notes.ts';
import { answerCommands, withoutOne } from './questions.ts';
import { inSigns } from './signs.ts';
import { markdownTable } from './table.ts';
import type { Look } from './terminal.ts';
import { cleanLine } from './text.ts';

/** A run as Markdown: what it is, how it stands, its stories as a table. */
export function statusLines(board: Board, { look, nowMs }: { readonly look: Look; readonly nowMs: number }): string[] {
  const { stories } = board;
  const endMs = board.endedAt === null ? nowMs : Date.parse(board.endedAt);
  const elapsed = formatElapsed(endMs - Date.parse(board.startedAt));
  const spent = formatSpent({
    tokens: board.spentTokens,
    usd: board.spentUsd,
    maxTokens: board.maxTokens,
    maxCostUsd: board.maxCostUsd,
  });
  return [
    `# ${cleanLine(board.project)} · ${cleanLine(board.feature)}`,
    '',
    `- run ${board.runId}, execution ${board.execution}`,
    `- ${board.status}: ${passedCount(board)} of ${stories.length} passed, ${elapsed}, ${spent}`,
    ...(board.message === '' ? [] : [`- ${cleanLine(board.message)}`]),
    `- branch ${cleanLine(board.branch)}${board.tip === null ? '' : ` ${shortCommit(board.tip)}`}, model ${cleanLine(board.model)}`,
    ...board.approvals.map(
      (asked) =>
        `- **${askedBy(asked.storyId)} waits for an answer** since ${formatClock(asked.since)}: ${cleanLine(asked.question)}; ${answerCommands(asked)}; ${withoutOne(asked, asked.until)}`,
    ),
    ...gateNotes(board).map(([name, text]) => `- ${name}: ${text}`),
    ...(board.uiUrl === null ? [] : [`- engine ui ${board.uiUrl}`]),
    '',
    ...markdownTable([
      { title: '', cells: stories.map((story) => signOf(story, look)) },
      { title: 'story', cells: stories.map((story) => story.storyId) },
      { title: 'title', cells: stories.map((story) => story.title) },
      { title: 'attempts', cells: stories.map((story) => (story.attempts === 0 ? unknown : String(story.attempts))) },
      {
        title: 'time',
        cells: stories.map((story) => (story.durationMs === 0 ? unknown : formatDuration(story.durationMs))),
      },
      { title: 'tokens', cells: stories.map((story) => (story.tokens === 0 ? unknown : formatTokens(story.tokens))) },
      { title: 'state', cells: stories.map((story) => stateOf(board, story, nowMs)) },
    ]),
  ].map((line) => inSigns(line, look.signs));
}

function signOf(story: BoardStory, { signs }: Look): string {
  if (story.state === 'passed') return signs.passed;
  if (story.state === 'failed') return signs.failed;
  return isWorkedOn(story) ? signs.running : signs.waiting;
}

function stateOf(board: Board, story: BoardStory, nowMs: number): string {
  const problem = story.problem === null ? '' : `: ${story.problem}`;
  switch (story.state) {
    case 'passed':
      return story.commit === null ? 'passed' : `passed ${shortCommit(story.commit)}`;
    case 'failed':
      return `failed${problem}`;
    case 'blocked':
      return 'blocked by a failed story';
    case 'running':
    case 'checking':
    case 'merging':
      if (story.waiting !== null) return waitingText(story.waiting, nowMs);
      return `worked on${problem === '' ? '' : `, before${problem}`}`;
    case 'open': {
      if (!isActive(board.status)) return story.attempts === 0 ? 'not started' : `not finished${problem}`;
      const waits = waitsFor(board, story);
      if (waits.length > 0) return `waits for ${waits.join(', ')}`;
      return story.attempts === 0 ? 'ready' : `tries again${problem}`;
    }
  }
}
