import { rowTokens } from './derive-context.ts';
import { effectiveTranscript } from './transcript.ts';
import type { SessionEvent } from './transcript.ts';
import { blocksOf, turnsOf } from './turns.ts';
import type { Block, Turn } from './turns.ts';

/** A transcript as people and agents talk about it. */
export interface ContextParts {
  /** The effective ones. */
  readonly rows: readonly SessionEvent[];
  readonly blocks: readonly Block[];
  readonly turns: readonly Turn[];
  readonly pinned: readonly Block[];
}

/** At most so much of a window can be pinned. */
const pinnedShare = 0.5;

export function contextParts(transcript: readonly SessionEvent[]): ContextParts {
  const rows = effectiveTranscript(transcript);
  const { blocks } = blocksOf(rows);
  const pins = rows.filter((known) => known.kind === 'pin');
  const pinned = blocks.filter(
    ({ seq }) => pins.findLast(({ body }) => seq >= body.fromSeq && seq <= body.toSeq)?.body.pinned === true,
  );
  return { rows, blocks, turns: turnsOf(blocks), pinned };
}

/** The rows of a turn, or of the step that a row belongs to; undefined when there is no such thing. */
export function rangeOf(
  { blocks, turns }: ContextParts,
  { turn: number, row }: { readonly turn?: number | undefined; readonly row?: number | undefined },
): { readonly fromSeq: number; readonly toSeq: number } | undefined {
  const turn = turns.find((known) => known.number === number);
  if (turn !== undefined) return { fromSeq: turn.fromSeq, toSeq: turn.toSeq };
  const step = blocks.find((block) => row !== undefined && block.rows.some((known) => known.seq === row));
  return step === undefined ? undefined : { fromSeq: step.seq, toSeq: step.seq };
}

/** What would be pinned with a range, and the most that can be. */
export function pinnedWith(
  { blocks, pinned }: ContextParts,
  { fromSeq, toSeq }: { readonly fromSeq: number; readonly toSeq: number },
  window: { readonly contextTokens: number },
): { readonly tokens: number; readonly mostTokens: number } {
  const all = new Set([...pinned, ...blocks.filter((block) => block.seq >= fromSeq && block.seq <= toSeq)]);
  return { tokens: tokensOf([...all]), mostTokens: window.contextTokens * pinnedShare };
}

/** Estimated. */
export function tokensOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.rows.reduce((ofBlock, row) => ofBlock + rowTokens(row), 0), 0);
}
