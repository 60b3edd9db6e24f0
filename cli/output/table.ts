import type { Look } from './terminal.ts';
import { paint } from './terminal.ts';
import { cleanLine, displayWidth, pad, truncate } from './text.ts';

export interface Column {
  readonly title: string;
  readonly cells: readonly string[];
}

/** Aligned columns with a head on a terminal, the last cut to fit; tab-separated values without a head off it, as `gh` does. */
export function listTable(columns: readonly Column[], look: Look, onTerminal: boolean): string[] {
  const rows = rowsOf(columns);
  if (!onTerminal) return rows.map((row) => row.join('\t'));
  const widths = widthsOf(columns);
  const line = (cells: readonly string[]) =>
    truncate(
      cells
        .map((cell, index) => pad(cell, widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
      look.columns,
      look.signs.ellipsis,
    );
  return [paint(line(columns.map((column) => column.title.toUpperCase())), 'dim', look), ...rows.map(line)];
}

/** A Markdown table with aligned columns. */
export function markdownTable(columns: readonly Column[]): string[] {
  const widths = widthsOf(columns);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => pad(cell.replaceAll('|', String.raw`\|`), widths[index] ?? 0)).join(' | ')} |`;
  return [
    line(columns.map((column) => column.title)),
    `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`,
    ...rowsOf(columns).map(line),
  ];
}

function rowsOf(columns: readonly Column[]): string[][] {
  return (columns[0]?.cells ?? []).map((_, row) => columns.map((column) => cleanLine(column.cells[row] ?? '')));
}

function widthsOf(columns: readonly Column[]): number[] {
  return columns.map(({ title, cells }) =>
    Math.max(...[title, ...cells].map((cell) => displayWidth(cleanLine(cell).replaceAll('|', String.raw`\|`)))),
  );
}
