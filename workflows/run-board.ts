import { setCurrentDetails } from '@temporalio/workflow';
import type { RalphBoardRow } from '../domain/contracts/ralph.ts';
import { addUsage, noUsage, totalTokens } from '../domain/run/budget.ts';
import type { Usage } from '../domain/run/budget.ts';

const signs = { running: '●', merging: '●', retry: '◌', passed: '✓', failed: '✗' } as const;
/** The engine cuts details at 20,000 bytes. */
const maxRows = 80;
const carriedRows = 20;

/** What the engine's UI shows of a run while it goes on: the stories that this execution has touched, newest last. */
export class RunBoard {
  readonly #runId: string;
  readonly #rows = new Map<string, RalphBoardRow>();
  passed = 0;
  total = 0;
  #usage: Usage;
  #status = 'running';

  constructor(
    runId: string,
    carried?: {
      readonly rows: readonly RalphBoardRow[];
      readonly passed: number;
      readonly total: number;
      readonly usage: Usage;
    },
  ) {
    this.#runId = runId;
    this.passed = carried?.passed ?? 0;
    this.total = carried?.total ?? 0;
    this.#usage = carried?.usage ?? noUsage;
    for (const row of carried?.rows ?? []) this.#rows.set(row.storyId, row);
  }

  get usage(): Usage {
    return this.#usage;
  }

  setStatus(status: string): void {
    this.#status = status;
    this.#show();
  }

  setCounts(counts: { readonly passed: number; readonly total: number }): void {
    this.passed = counts.passed;
    this.total = counts.total;
    this.#show();
  }

  startAttempt(story: Pick<RalphBoardRow, 'storyId' | 'title' | 'attempt'>): void {
    const tokens = this.#rows.get(story.storyId)?.tokens ?? 0;
    this.#rows.delete(story.storyId);
    this.#rows.set(story.storyId, { ...story, status: 'running', tokens, commit: null, note: '' });
    this.#show();
  }

  addUsage(storyId: string, usage: Usage): void {
    this.#usage = addUsage(this.#usage, usage);
    this.note(storyId, { tokens: (this.#rows.get(storyId)?.tokens ?? 0) + totalTokens(usage) });
  }

  note(storyId: string, change: Partial<Pick<RalphBoardRow, 'status' | 'tokens' | 'commit' | 'note'>>): void {
    const row = this.#rows.get(storyId);
    if (row !== undefined) this.#rows.set(storyId, { ...row, ...change });
    this.#show();
  }

  noteOf(storyId: string): string {
    return this.#rows.get(storyId)?.note ?? '';
  }

  statusOf(storyId: string): RalphBoardRow['status'] | undefined {
    return this.#rows.get(storyId)?.status;
  }

  /** What a continue-as-new carries: the newest rows, short. */
  carried(): readonly RalphBoardRow[] {
    return [...this.#rows.values()].slice(-carriedRows).map((row) => ({ ...row, note: row.note.slice(0, 80) }));
  }

  #show(): void {
    setCurrentDetails(this.#markdown());
  }

  #markdown(): string {
    const spent = `${totalTokens(this.#usage)} tokens · $${this.#usage.costUsd.toFixed(2)}`;
    const head = `**${this.#runId}** · ${this.#status} · ${this.passed} of ${this.total} passed · ${spent}`;
    const all = [...this.#rows.values()];
    const hidden = Math.max(0, all.length - maxRows);
    const rows = all.slice(hidden).map((row) => {
      const note = row.commit === null ? row.note : row.commit.slice(0, 7);
      return `| ${signs[row.status]} | ${row.storyId} | ${cell(row.title)} | ${row.attempt} | ${row.tokens} | ${cell(note)} |`;
    });
    const more = hidden > 0 ? [`\n${hidden} earlier stories are not shown.`] : [];
    return [head, '', '| | story | title | attempt | tokens | |', '|---|---|---|---|---|---|', ...rows, ...more].join(
      '\n',
    );
  }
}

function cell(text: string): string {
  return text.replace(/[|\n\r]+/g, ' ').slice(0, 80);
}
