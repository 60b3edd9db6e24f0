import { heldBy, passedCount, waitingText, waitsFor } from '../../domain/run/board.ts';
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
} from '../output/format.ts';
import { failuresNote } from '../output/failures-note.ts';
import { heldText } from '../output/held-text.ts';
import { answerCommands, withoutOne } from '../output/questions.ts';
import { inSigns } from '../output/signs.ts';
import { paint } from '../output/terminal.ts';
import type { Look, Style } from '../output/terminal.ts';
import { cleanLine, counted, displayWidth, pad, truncate, wrap } from '../output/text.ts';

export interface BoardView {
  readonly look: Look;
  /** Height of the terminal; the board stays below it. */
  readonly rows: number;
  readonly nowMs: number;
  /** Shown under the stories: what happened to the connection. */
  readonly connection: string | null;
  /** Keys work: there is a keyboard and the run has not ended. */
  readonly keys: boolean;
}

/** The board as painted lines, none wider than the terminal, together less than its height. */
export function boardLines(board: Board, view: BoardView): string[] {
  const { look } = view;
  const below = [...noticeLines(board, view), footer(board, view), ...keyLine(board, view)];
  const { shown, hidden } = storyWindow(board, Math.max(3, view.rows - 2 - below.length));
  const widths = columnWidths(board, shown, look.columns);
  return [
    header(board, view),
    ...shown.map((story) => storyLine(board, story, widths, view)),
    ...(hidden.length > 0 ? [dimLine(`  ${look.signs.ellipsis} ${hiddenSummary(hidden)}`, look)] : []),
    ...below,
  ];
}

function header(board: Board, { look, nowMs }: BoardView): string {
  const elapsed = formatElapsed(
    (board.endedAt === null ? nowMs : Date.parse(board.endedAt)) - Date.parse(board.startedAt),
  );
  const time = board.maxTimeMs === null ? elapsed : `${elapsed} of ${formatElapsed(board.maxTimeMs)}`;
  const status =
    board.status === 'running' ? [] : [board.status === 'paused' ? `${look.signs.paused} paused` : board.status];
  const short = [...status, `${passedCount(board)} of ${board.stories.length} passed`, time].join('   ');
  const long = `${cell(board.branch, look)}   ${short}`;
  const name = cell(`${board.project} · ${board.feature}`, look);
  const title = `ralph  ${name}`;
  const right = displayWidth(title) + 3 + displayWidth(long) <= look.columns ? long : short;
  const room = look.columns - displayWidth(right) - 3;
  const left = truncate(title, room, look.signs.ellipsis);
  const gap = Math.min(look.columns, 110) - displayWidth(left) - displayWidth(right);
  return `${paint(left, 'bold', look)}${' '.repeat(Math.max(3, gap))}${right}`;
}

/** All stories where they fit; else those that matter most now, with the rest counted in one line. */
function storyWindow(board: Board, room: number): { readonly shown: BoardStory[]; readonly hidden: BoardStory[] } {
  if (board.stories.length <= room) return { shown: [...board.stories], hidden: [] };
  const passed = new Set(board.stories.filter((story) => story.state === 'passed').map((story) => story.storyId));
  const rank = (story: BoardStory): number => {
    if (isWorkedOn(story)) return 0;
    if (story.state === 'failed') return 1;
    if (story.state === 'open') return story.attempts > 0 ? 2 : story.dependsOn.every((id) => passed.has(id)) ? 3 : 5;
    return story.state === 'passed' ? 4 : 6;
  };
  const ranked = board.stories.toSorted((a, b) => rank(a) - rank(b));
  return { shown: ranked.slice(0, room - 1), hidden: ranked.slice(room - 1) };
}

function hiddenSummary(hidden: readonly BoardStory[]): string {
  const of = (word: string, is: (story: BoardStory) => boolean) => {
    const count = hidden.filter(is).length;
    return count === 0 ? [] : [`${count} ${word}`];
  };
  return `${hidden.length} more: ${[
    ...of('worked on', isWorkedOn),
    ...of('passed', (story) => story.state === 'passed'),
    ...of('failed', (story) => story.state === 'failed'),
    ...of('blocked', (story) => story.state === 'blocked'),
    ...of('waiting', (story) => story.state === 'open'),
  ].join(', ')}`;
}

function longest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(displayWidth));
}

interface Widths {
  readonly id: number;
  readonly title: number;
  /** Left for what is to be said about the story. */
  readonly detail: number;
  readonly wide: boolean;
  /** Room for units that the footer names, too. */
  readonly wordy: boolean;
}

function columnWidths(board: Board, shown: readonly BoardStory[], columns: number): Widths {
  const wide = columns >= 80;
  const id = Math.min(longest(board.stories.map((story) => story.storyId)), wide ? 24 : 12);
  const detailAtLeast = columns >= 140 ? 76 : columns >= 80 ? 40 : 26;
  const titleAtMost = Math.max(8, columns - 4 - id - 2 - 2 - detailAtLeast);
  const title = Math.min(longest(shown.map((story) => cleanLine(story.title))), titleAtMost);
  return { id, title, detail: Math.max(0, columns - 4 - id - 2 - title - 2), wide, wordy: columns >= 120 };
}

function storyLine(board: Board, story: BoardStory, widths: Widths, { look, nowMs }: BoardView): string {
  const { sign, style } = signOf(story, look);
  const { ellipsis } = look.signs;
  const id = pad(truncate(cell(story.storyId, look), widths.id, ellipsis), widths.id);
  const title = pad(truncate(cell(story.title, look), widths.title, ellipsis), widths.title);
  const detail = detailOf(board, story, widths, { look, nowMs });
  const main = truncate(detail.main, widths.detail, ellipsis);
  const room = widths.detail - displayWidth(main) - 2;
  const note = detail.note === '' || room < 8 ? '' : truncate(cell(detail.note, look), room, ellipsis);
  const quiet = story.state === 'open' || story.state === 'blocked';
  const said = `${id}  ${title}  ${main}`.trimEnd();
  return `  ${paint(sign, style, look)} ${quiet ? paint(said, 'dim', look) : said}${note === '' ? '' : `  ${paint(note, 'dim', look)}`}`;
}

function signOf(story: BoardStory, look: Look): { readonly sign: string; readonly style: Style } {
  switch (story.state) {
    case 'passed':
      return { sign: look.signs.passed, style: 'good' };
    case 'failed':
      return { sign: look.signs.failed, style: 'bad' };
    case 'running':
    case 'checking':
    case 'merging':
      return { sign: look.signs.running, style: 'active' };
    case 'open':
    case 'blocked':
      return { sign: look.signs.waiting, style: 'dim' };
  }
}

function detailOf(
  board: Board,
  story: BoardStory,
  { wide, wordy }: Widths,
  { look, nowMs }: Pick<BoardView, 'look' | 'nowMs'>,
): { readonly main: string; readonly note: string } {
  const problem = story.problem ?? '';
  switch (story.state) {
    case 'passed': {
      const tokens = formatTokens(story.tokens);
      const numbers = `${pad(formatDuration(story.durationMs), 8)}${wordy ? pad(`${tokens} tokens`, 12) : pad(tokens, 5)}`;
      const attempts = wide ? pad(`${counted(story.attempts, 'attempt')} `, 11) : '';
      const commit = story.commit === null ? '' : shortCommit(story.commit);
      return {
        main: story.attempts === 0 ? `before this run  ${commit}` : `${attempts}${numbers}  ${commit}`,
        note: failuresNote(story.failures),
      };
    }
    case 'running':
    case 'checking':
    case 'merging': {
      const attempt = `attempt ${Math.max(1, story.attempts)}`;
      const step = story.step === null || story.state !== 'running' ? '' : `step ${story.step}`;
      const waiting = story.waiting === null ? null : waitingText(story.waiting, nowMs);
      const what = cell(waiting ?? story.activity ?? 'at work', look);
      return {
        main: wide
          ? `${pad(`${attempt} `, 11)}${step === '' ? '' : pad(`${step} `, 8)}${what}`
          : [...(story.attempts > 1 ? [attempt] : []), ...(step === '' ? [] : [step]), what].join(' '),
        note: story.outputLine ?? (story.state === 'running' ? problem : ''),
      };
    }
    case 'failed':
      return { main: `failed after ${counted(story.attempts, 'attempt')}`, note: problem };
    case 'blocked':
      return {
        main: story.blockedBy.length === 0 ? 'blocked' : `blocked by ${cell(listed(story.blockedBy), look)}`,
        note: '',
      };
    case 'open': {
      if (!isActive(board.status))
        return { main: story.attempts === 0 ? 'not started' : 'not finished', note: problem };
      const waits = waitsFor(board, story);
      if (waits.length > 0) return { main: `waits for ${cell(listed(waits), look)}`, note: '' };
      const held = heldBy(board, story);
      if (held !== null) return { main: cell(heldText(held.storyId, held.files), look), note: problem };
      if (story.attempts === 0) return { main: 'ready', note: '' };
      return { main: `${wide ? pad(`attempt ${story.attempts} `, 11) : ''}tries again`, note: problem };
    }
  }
}

function listed(ids: readonly string[]): string {
  return ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 2).join(', ')} and ${ids.length - 2} more`;
}

/** How long something that is over is worth a line. */
const pastShownMs = 60_000;

function noticeLines(board: Board, { look, connection, nowMs }: BoardView): string[] {
  const sign = look.signs.warning;
  const { notice } = board;
  const isShown = notice !== null && !(notice.isPast && nowMs - Date.parse(notice.at) > pastShownMs);
  const texts = [
    ...board.approvals
      .slice(0, 3)
      .map(
        (asked) =>
          `? ${cell(askedBy(asked.storyId), look)} ${truncate(cell(asked.question, look), look.columns, look.signs.ellipsis)}: ${answerCommands(asked)} (${withoutOne(asked, asked.until)})`,
      ),
    ...(board.approvals.length > 3 ? [`? ${board.approvals.length - 3} more: codetether approvals`] : []),
    ...(isShown ? [`${sign} ${formatClock(notice.at)} ${cell(notice.text, look)}`] : []),
    ...(connection === null ? [] : [`${sign} ${cell(connection, look)}`]),
    ...(board.status === 'paused' ? [`${look.signs.paused} paused: steps under way finish, nothing new starts`] : []),
    ...(board.status === 'stopping'
      ? [`${look.signs.paused} stopping: steps under way finish, nothing new starts`]
      : []),
  ];
  return texts
    .flatMap((text) => wrap(text, look.columns, 3, look.signs.ellipsis))
    .map((line) => paint(line, 'warn', look));
}

function footer(board: Board, { look }: BoardView): string {
  const agents = board.stories.filter(isWorkedOn).length;
  const spent = formatSpent({
    tokens: board.spentTokens,
    usd: board.spentUsd,
    maxTokens: board.maxTokens,
    maxCostUsd: board.maxCostUsd,
  });
  const parts = [
    `spent ${spent}`,
    ...(agents > 0 ? [counted(agents, 'agent')] : []),
    ...(board.gates === null ? [] : [board.gates.length === 0 ? 'no gates' : `gates: ${board.gates.join(', ')}`]),
    ...(board.uiUrl === null ? [] : [`engine ui ${board.uiUrl}`]),
  ].map((part) => cell(part, look));
  const separator = ` ${look.signs.separator} `;
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : line + separator + part;
    // A cut link leads nowhere; the command that prints it is short.
    const fitting =
      displayWidth(longer) <= look.columns
        ? longer
        : part.startsWith('engine ui')
          ? `${line}${separator}codetether ui`
          : line;
    if (displayWidth(fitting) <= look.columns) line = fitting;
  }
  return paint(line, 'dim', look);
}

function keyLine(board: Board, { look, keys }: BoardView): string[] {
  if (!keys || !isActive(board.status)) return [];
  const separator = ` ${look.signs.separator} `;
  const steering =
    board.status === 'stopping'
      ? []
      : [
          board.status === 'paused' ? 'p resume' : 'p pause',
          ...(board.stories.some((story) => story.state === 'running') ? ['n nudge'] : []),
          look.columns < 80 ? 's stop' : 's stop after this step',
        ];
  return [dimLine([...steering, 'ctrl-c leave it running'].join(separator), look)];
}

/** Foreign text made harmless, and our own signs in what the terminal can show. */
function cell(text: string, look: Look): string {
  return inSigns(cleanLine(text), look.signs);
}

function dimLine(text: string, look: Look): string {
  return paint(truncate(text, look.columns, look.signs.ellipsis), 'dim', look);
}
