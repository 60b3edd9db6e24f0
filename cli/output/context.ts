import type { ContextView } from '../../domain/contracts/context.ts';
import { shortRunId } from '../../domain/run/ids.ts';
import { formatTokens } from './format.ts';
import { inSigns } from './signs.ts';
import type { Column } from './table.ts';
import { paint } from './terminal.ts';
import type { Look } from './terminal.ts';
import { cleanLine, counted, truncate } from './text.ts';

type Turn = ContextView['turns'][number];
type LeftOut = ContextView['leftOut'][number];

const reasons: { readonly [R in LeftOut['reason']]: string } = {
  window: 'they did not fit',
  summarised: 'a summary stands for them',
  reset: 'before a reset',
  cut: 'the middle of a long result',
};
const mostLeftOut = 10;

/** How full a context is, for people. */
export function contextLines(view: ContextView, look: Look): string[] {
  const { leftOut, budgetTokens, tokens, windowTokens } = view;
  const share = budgetTokens === null || budgetTokens === 0 ? '' : ` (${Math.round((tokens / budgetTokens) * 100)} %)`;
  const of = budgetTokens === null ? '' : ` of ${formatTokens(budgetTokens)}`;
  const shown = leftOut.slice(-mostLeftOut);
  const before = leftOut.length - shown.length;
  const pinned = view.turns.filter(({ pinnedSteps }) => pinnedSteps > 0).map(({ turn }) => turn);
  const warning = paint(look.signs.warning, 'warn', look);
  const lines = [
    paint(`session ${shortRunId(view.sessionId).slice(0, 8)} · policy ${view.policy} · ${view.model}`, 'bold', look),
    `in use    ${formatTokens(tokens)}${of} tokens${share}, estimated; ${counted(view.turns.length + view.earlierTurns, 'turn')}, ${counted(view.steps, 'step')}`,
    `window    ${windowTokens === null ? 'no known limit' : `${formatTokens(windowTokens)} tokens, with the answer and the tools`}`,
    `pinned    ${pinned.length === 0 ? 'nothing' : `${formatTokens(view.pinnedTokens)} tokens, turn ${pinned.join(', ')}`}`,
    `left out  ${leftOut.length === 0 ? 'nothing' : before === 0 ? '' : `${before} more before these`}`.trimEnd(),
    ...shown.map(leftOutLine),
    ...(view.summaryWanted === null
      ? []
      : [`summary   of rows ${view.summaryWanted.fromSeq}–${view.summaryWanted.toSeq}, made before the next answer`]),
    ...(view.fits ? [] : [`${warning} what may not be left out does not fit: the next model call will fail`]),
  ];
  return lines.map((line) => truncate(inSigns(line, look.signs), look.columns, look.signs.ellipsis));
}

function leftOutLine({ fromSeq, toSeq, steps, tokens, reason }: LeftOut): string {
  return `  rows ${fromSeq}–${toSeq}, ${counted(steps, 'step')}, ${formatTokens(tokens)} tokens: ${reasons[reason]}`;
}

export function turnColumns({ turns }: ContextView): Column[] {
  const column = (title: string, cell: (turn: Turn) => string) => ({ title, cells: turns.map(cell) });
  return [
    column('turn', ({ turn }) => String(turn)),
    column('rows', ({ fromSeq, toSeq }) => `${fromSeq}–${toSeq}`),
    column('steps', ({ steps }) => String(steps)),
    column('tokens', ({ tokens }) => formatTokens(tokens)),
    column('pinned', ({ pinnedSteps, steps }) => (pinnedSteps === 0 ? '' : pinnedSteps === steps ? 'yes' : 'partly')),
    column('message', ({ text }) => cleanLine(text)),
  ];
}
