import type { RunDetailView, SpendingView } from '../../domain/contracts/api.ts';
import { formatBytes } from '../../domain/text/bytes.ts';
import { formatCost, formatTokens, formatUsd, unknown } from './format.ts';
import { markdownTable } from './table.ts';

interface Sum {
  readonly name: string;
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number;
  readonly reservedTokens: number;
  readonly reservedUsd: number;
  readonly price: SpendingView['price'];
}

/** What a run's worktrees take, and may; nothing before it was measured. */
export function diskLines({ disk }: Pick<RunDetailView, 'disk'>): string[] {
  if (disk === null) return [];
  const over = disk.bytes > disk.maxBytes ? ', which is too much' : '';
  return ['', `- disk ${formatBytes(disk.bytes)} of ${formatBytes(disk.maxBytes)}${over}`];
}

/** What a run has spent, holds and has left, in all, by model and by story, as Markdown; nothing before its first call. */
export function spendingLines(run: RunDetailView): string[] {
  if (run.spending.length === 0) return [];
  const models = sums(run.spending, ({ model }) => model);
  const stories = sums(run.spending, ({ storyId }) => storyId);
  return [
    '',
    '## Spending',
    '',
    `- cost ${formatCost({ usd: run.spentUsd, tokens: run.spentTokens })} spent, ${formatUsd(run.reservedUsd)} reserved${left(run.leftUsd, run.maxCostUsd, formatUsd)}`,
    `- tokens ${formatTokens(run.spentTokens)} spent, ${formatTokens(run.reservedTokens)} reserved${left(run.leftTokens, run.maxTokens, formatTokens)}`,
    `- steps ${run.steps}${left(run.leftSteps, run.maxTotalSteps, String)}`,
    '',
    ...markdownTable([
      { title: 'model', cells: models.map(({ name }) => name) },
      { title: 'price per million', cells: models.map(({ price }) => priceText(price)) },
      ...numberColumns(models),
    ]),
    '',
    ...markdownTable([{ title: 'story', cells: stories.map(({ name }) => name) }, ...numberColumns(stories)]),
  ];
}

function left(value: number | null, cap: number | null, format: (value: number) => string): string {
  return value === null || cap === null ? ', no cap' : `, ${format(value)} left of ${format(cap)}`;
}

function numberColumns(rows: readonly Sum[]) {
  return [
    { title: 'steps', cells: rows.map(({ calls }) => String(calls)) },
    { title: 'tokens', cells: rows.map(({ tokens }) => formatTokens(tokens)) },
    { title: 'spent', cells: rows.map(({ usd, tokens }) => formatCost({ usd, tokens })) },
    {
      title: 'reserved',
      cells: rows.map(({ reservedUsd, reservedTokens }) => (reservedTokens === 0 ? unknown : formatUsd(reservedUsd))),
    },
  ];
}

function priceText(price: SpendingView['price']): string {
  if (price === null) return unknown;
  const from = { table: '', file: ' (prices.yaml)', script: ' (script)', default: ' (not known: the default)' };
  return `$${price.inputUsd} in, $${price.outputUsd} out${from[price.source]}`;
}

function sums(spending: readonly SpendingView[], nameOf: (row: SpendingView) => string): Sum[] {
  const byName = new Map<string, Sum>();
  for (const row of spending) {
    const name = nameOf(row);
    const sum = byName.get(name);
    byName.set(name, {
      name,
      calls: row.calls + (sum?.calls ?? 0),
      tokens: row.inputTokens + row.outputTokens + (sum?.tokens ?? 0),
      usd: row.costUsd + (sum?.usd ?? 0),
      reservedTokens: row.reservedTokens + (sum?.reservedTokens ?? 0),
      reservedUsd: row.reservedUsd + (sum?.reservedUsd ?? 0),
      price: row.price ?? sum?.price ?? null,
    });
  }
  return [...byName.values()];
}
