import type { RalphBoardRow } from '../domain/contracts/ralph.ts';

const signs = { running: '●', merging: '●', retry: '◌', passed: '✓', failed: '✗' } as const;
/** The engine cuts details at 20,000 bytes. */
const maxRows = 80;

/** The run's board as Markdown for the engine's UI; the newest rows where there are too many. */
export function boardMarkdown(board: {
  readonly runId: string;
  readonly status: string;
  readonly passed: number;
  readonly total: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly rows: readonly RalphBoardRow[];
}): string {
  const head = `**${board.runId}** · ${board.status} · ${board.passed} of ${board.total} passed · ${board.tokens} tokens · $${board.costUsd.toFixed(2)}`;
  const hidden = Math.max(0, board.rows.length - maxRows);
  const rows = board.rows.slice(hidden).map((row) => {
    const note = row.commit === null ? row.note : row.commit.slice(0, 7);
    return `| ${signs[row.status]} | ${row.storyId} | ${cell(row.title)} | ${row.attempt} | ${row.tokens} | ${cell(note)} |`;
  });
  const more = hidden > 0 ? [`\n${hidden} earlier stories are not shown.`] : [];
  return [head, '', '| | story | title | attempt | tokens | |', '|---|---|---|---|---|---|', ...rows, ...more].join(
    '\n',
  );
}

function cell(text: string): string {
  return text.replace(/[|\n\r]+/g, ' ').slice(0, 80);
}
