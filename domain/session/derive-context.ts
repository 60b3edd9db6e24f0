import { bytesPerToken, frameTokens, textTokens, utf8Bytes } from '../model/tokens.ts';
import { conversationTokens } from '../model/windows.ts';
import type { ContextPolicy } from './context-policy.ts';
import { effectiveTranscript } from './transcript.ts';
import type { SaidRow, SessionEvent, SessionEventBody } from './transcript.ts';
import { blocksOf } from './turns.ts';
import type { Block } from './turns.ts';

export interface ContextWindow {
  /** `provider/model`, without effort: what was learnt of its window counts (`window` rows). */
  readonly model: string;
  readonly contextTokens: number;
  /** What is sent or awaited beside the conversation: answer, tool definitions. */
  readonly reservedTokens: number;
  /** Only so many of the newest steps, where even a short context was refused. */
  readonly mostSteps?: number;
}

/** - `window`: it did not fit
 *  - `summarised`, `reset`: something stands for it
 *  - `cut`: of a long result the middle is left out; `context_browse` shows it */
export type LeftOutReason = 'window' | 'summarised' | 'reset' | 'cut';

export interface LeftOut {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly steps: number;
  readonly reason: LeftOutReason;
  /** Estimated, of what is not sent. */
  readonly tokens: number;
}

/** A summary that is wanted: asked for by the agent, or to stand for what no longer fits. */
export interface WantedSummary {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly targetTokens: number;
}

export type DerivedContext =
  | {
      readonly kind: 'derived';
      /** Rows as they were said, and notes (user rows) where something is left out; each answer is followed by its results. */
      readonly messages: readonly SaidRow[];
      readonly leftOut: readonly LeftOut[];
      /** Estimated; never above `budgetTokens`. */
      readonly tokens: number;
      readonly budgetTokens: number;
      readonly wanted: WantedSummary | undefined;
    }
  | {
      readonly kind: 'too-long';
      /** `required`: what may not be left out does not fit. `no-gain`: leaving out all that may be left out frees next to nothing. */
      readonly why: 'required' | 'no-gain';
      readonly tokens: number;
      readonly budgetTokens: number;
    };

/** Of what it finds, a compaction frees so much at least; otherwise it is not made, or the context is too long. */
const leastGain = 0.1;
/** A compaction leaves so much of what is allowed, so that the next one is far and a provider's cache holds until then. */
const keptShare = 0.6;
/** Steps at the end that are nearly always kept. */
const recentSteps = 8;
/** Results of older steps are cut to so many tokens when the context is compacted. */
const olderResultTokens = 512;
/** No result is cut to less: the note in its middle has to fit. */
const leastResultTokens = 96;
/** Most of a note that says what is left out. */
const gapNoteTokens = 64;
/** Less is not worth a summary. */
const leastSummarisedTokens = 1024;
const summaryTokens = 1024;

/**
 * What a model is sent of a transcript. Pure: the same transcript, policy and window give the same context, and nothing of the
 * transcript is changed.
 *
 * Always in: system rows, pinned steps, the user message of the turn under way, the newest step, and what stands for summarised
 * or reset steps. Order is kept. `tokens` never exceeds `budgetTokens`. It is compacted as a transcript grows: what was left out
 * once stays out, and between two compactions a longer transcript's context begins with the shorter one's, so that a provider's
 * cache holds. With the policy `off` everything is in.
 *
 * Tokens are estimated: one for 3.2 UTF-8 bytes (`estimateTokens`) and 16 for each message.
 */
export function deriveContext(
  rows: readonly SessionEvent[],
  policy: ContextPolicy,
  window: ContextWindow,
): DerivedContext {
  const effective = effectiveTranscript(rows);
  const { system, blocks } = blocksOf(effective);
  const pinned = pinnedSeqs(effective, blocks);
  const budgetTokens = budgetOf(effective, window);
  const leftOut: LeftOut[] = [];
  const all = blocks.map((block) => toItem(block, pinned.has(block.seq)));
  const systemTokens = sum(system.map(rowTokens));
  if (policy.kind === 'off') {
    const tokens = systemTokens + sum(all.map((item) => item.tokens));
    if (tokens > budgetTokens) return { kind: 'too-long', why: 'required', tokens, budgetTokens };
    const messages = [...system, ...all.flatMap((item) => item.rows)];
    return { kind: 'derived', messages, leftOut, tokens, budgetTokens, wanted: undefined };
  }
  const items = afterReset(withSummaries(all, effective, leftOut), effective, leftOut);
  const hard = budgetTokens - systemTokens;
  const folded = fold(items, { hard, soft: Math.min(hard, softLimit(policy, window) - systemTokens), policy, window });
  const tokens = systemTokens + folded.tokens;
  if (tokens > budgetTokens) return { kind: 'too-long', why: 'required', tokens, budgetTokens };
  if (!folded.gained) return { kind: 'too-long', why: 'no-gain', tokens: systemTokens + folded.before, budgetTokens };
  const messages: SaidRow[] = [...system];
  const keptBySeq = new Map(folded.kept.map((item) => [item.seq, item]));
  let gap: Item[] = [];
  const closeGap = () => {
    if (gap.length > 0) messages.push(gapNote(gap));
    gap = [];
  };
  for (const item of items) {
    const kept = keptBySeq.get(item.seq);
    if (kept === undefined) {
      gap.push(item);
      leftOut.push(leftOutOf([item], 'window'));
      continue;
    }
    closeGap();
    messages.push(...(kept.tokens < item.tokens ? rowsOf(kept) : kept.rows));
    if (kept.tokens < item.tokens) leftOut.push({ ...leftOutOf([item], 'cut'), tokens: item.tokens - kept.tokens });
  }
  closeGap();
  return {
    kind: 'derived',
    messages,
    leftOut: joined(leftOut.toSorted((a, b) => a.fromSeq - b.fromSeq)),
    tokens,
    budgetTokens,
    wanted: pendingRequest(effective) ?? (policy.summaries === false ? undefined : folded.wanted),
  };
}

/** The estimate of one row, with what a provider puts around a message. */
export function rowTokens(row: SaidRow): number {
  return frameTokens + Math.ceil(rowBytes(row) / bytesPerToken);
}

function rowBytes({ kind, body }: SaidRow): number {
  switch (kind) {
    case 'system':
    case 'user':
      return utf8Bytes(body.text);
    case 'assistant': {
      // A provider's own parts hold the text once more.
      const said = body.providerOptions === undefined ? body.text : JSON.stringify(body.providerOptions);
      return utf8Bytes(said) + (body.toolCalls.length === 0 ? 0 : utf8Bytes(JSON.stringify(body.toolCalls)));
    }
    case 'tool-result':
      return utf8Bytes(body.output) + body.callId.length + body.tool.length;
  }
}

/** A block, or a note that stands for several. */
interface Item extends Omit<Block, 'toSeq'> {
  /** What it stands for. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly tokens: number;
  /** Of each row, at most: a result that is to be cut counts as long as it will be. */
  readonly sizes: readonly number[];
  /** Of its longest result. */
  readonly longestTokens: number;
  readonly pinned: boolean;
  readonly isNote: boolean;
}

function toItem(block: Block, pinned: boolean): Item {
  return { ...block, fromSeq: block.seq, ...sizeOf(block.rows), pinned, isNote: false };
}

function sizeOf(rows: readonly SaidRow[]): Pick<Item, 'tokens' | 'sizes' | 'longestTokens'> {
  return sizeFrom(rows, rows.map(rowTokens));
}

function sizeFrom(
  rows: readonly SaidRow[],
  sizes: readonly number[],
): Pick<Item, 'tokens' | 'sizes' | 'longestTokens'> {
  let tokens = 0;
  let longestTokens = 0;
  for (const [index, size] of sizes.entries()) {
    tokens += size;
    if (rows[index]?.kind === 'tool-result' && size > longestTokens) longestTokens = size;
  }
  return { tokens, sizes, longestTokens };
}

function note(text: string, place: { readonly seq: number; readonly fromSeq: number; readonly toSeq: number }): Item {
  const row: SaidRow = { seq: place.seq, kind: 'user', body: { text, aside: true } };
  return { ...place, turn: 0, opensTurn: false, rows: [row], ...sizeOf([row]), pinned: false, isNote: true };
}

function pinnedSeqs(effective: readonly SessionEvent[], blocks: readonly Block[]): ReadonlySet<number> {
  const pinned = new Set<number>();
  for (const row of effective) {
    if (row.kind !== 'pin') continue;
    for (const { seq } of blocks) {
      if (seq < row.body.fromSeq || seq > row.body.toSeq) continue;
      if (row.body.pinned) pinned.add(seq);
      else pinned.delete(seq);
    }
  }
  return pinned;
}

function budgetOf(effective: readonly SessionEvent[], window: ContextWindow): number {
  const learnt = effective.flatMap((row) =>
    row.kind === 'window' && row.body.model === window.model ? [row.body.tokens] : [],
  );
  return Math.min(conversationTokens(window), ...learnt.slice(-1));
}

function softLimit(policy: ContextPolicy, { contextTokens }: ContextWindow): number {
  if (policy.kind === 'reset') return policy.thresholdTokens ?? contextTokens / 2;
  return policy.kind === 'incremental' ? (policy.budgetTokens ?? Infinity) : Infinity;
}

/** Puts each summary in the place of its range. The newest come first; an older one that overlaps a newer one, or an empty one, stands for nothing. */
function withSummaries(items: readonly Item[], effective: readonly SessionEvent[], leftOut: LeftOut[]): Item[] {
  const taken: SessionEventBody<'summary'>[] = [];
  let result = [...items];
  for (const row of effective.toReversed()) {
    if (row.kind !== 'summary') continue;
    const { fromSeq, toSeq, text } = row.body;
    if (text.trim() === '') continue;
    if (taken.some((range) => fromSeq <= range.toSeq && range.fromSeq <= toSeq)) continue;
    const openTurn = turnThatGoesOn(items, toSeq);
    const replaced = result.filter(
      (item) =>
        item.seq >= fromSeq &&
        item.seq <= toSeq &&
        !item.pinned &&
        !item.isNote &&
        !(item.opensTurn && item.turn === openTurn),
    );
    const first = replaced[0];
    if (first === undefined) continue;
    taken.push(row.body);
    leftOut.push(leftOutOf(replaced, 'summarised'));
    const gone = new Set(replaced);
    const standIn = note(
      `[CONTEXT SUMMARY] ${steps(replaced.length)} left out here (rows ${fromSeq}–${toSeq}); they came to this:\n${text}`,
      { seq: first.seq, fromSeq, toSeq },
    );
    result = result.flatMap((item) => (item === first ? [standIn] : gone.has(item) ? [] : [item]));
  }
  return result;
}

/** The turn that has steps on both sides of `seq`, or is the newest: its user message is still being answered there. */
function turnThatGoesOn(items: readonly Item[], seq: number): number | undefined {
  const last = items.findLast((item) => item.seq <= seq)?.turn;
  const next = items.find((item) => item.seq > seq)?.turn;
  return next === undefined || next === last ? last : undefined;
}

/** Leaves out what came before the newest reset, but for what is pinned and the user message that was being answered. */
function afterReset(items: readonly Item[], effective: readonly SessionEvent[], leftOut: LeftOut[]): readonly Item[] {
  const reset = effective.findLast((row) => row.kind === 'reset');
  if (reset?.kind !== 'reset') return items;
  const opening = items.findLast((item) => item.opensTurn && item.seq < reset.seq);
  const gone = items.filter((item) => item.seq < reset.seq && !item.pinned && item !== opening);
  if (gone.length > 0) leftOut.push(leftOutOf(gone, 'reset'));
  const place = { seq: reset.seq, fromSeq: reset.seq, toSeq: reset.seq };
  return [
    ...items.filter((item) => item.seq < reset.seq && (item.pinned || item === opening)),
    note(`[CONTEXT RESET]\n${reset.body.summary}`, place),
    ...items.filter((item) => item.seq > reset.seq),
  ];
}

interface FoldOptions {
  /** May never be exceeded. */
  readonly hard: number;
  /** Compacted when it is exceeded, if that gains something. */
  readonly soft: number;
  readonly policy: Exclude<ContextPolicy, { kind: 'off' }>;
  readonly window: ContextWindow;
}

interface Folded {
  readonly kept: readonly Item[];
  /** With the notes for what is left out. */
  readonly tokens: number;
  /** False when the newest step made a compaction necessary that gained too little. */
  readonly gained: boolean;
  /** Before the newest compaction. */
  readonly before: number;
  readonly wanted: WantedSummary | undefined;
}

/** Lets the context grow step by step and compacts it whenever it is too long: as it happened when the transcript grew. */
function fold(items: readonly Item[], { hard, soft, policy, window }: FoldOptions): Folded {
  const places = new Map(items.map((item, index) => [item.seq, index]));
  const sizeWithNotes = (kept: readonly Item[]) =>
    sum(kept.map((item) => item.tokens)) + gapNoteTokens * gapsIn(kept, places);
  let kept: Item[] = [];
  let used = 0;
  let opening: number | undefined;
  let gained = true;
  let before = 0;
  let older: readonly Item[] = [];
  let isRequired = (item: Item) => item.isNote;

  const compact = (newest: Item, choose: Choose, isForced: boolean) => {
    const openingSeq = opening;
    const isNeeded = (item: Item) => item.pinned || item.isNote || item.seq === openingSeq || item.seq === newest.seq;
    const next = compacted(kept, isNeeded, { choose, target: Math.floor(soft * keptShare), hard });
    const size = sizeWithNotes(next.kept);
    const isWorthIt = used - size >= used * leastGain;
    if (!isWorthIt && !isForced && used <= hard) return;
    gained = isWorthIt || isForced;
    before = used;
    kept = next.kept;
    used = size;
    older = next.older;
    isRequired = isNeeded;
  };

  for (const arrived of items) {
    const item = cutResults(arrived, { above: hard / 4, to: hard / 8 });
    if (item.opensTurn) opening = item.seq;
    gained = true;
    kept.push(item);
    used += item.tokens;
    if (used > soft) compact(item, chooserOf(policy), false);
  }
  const last = kept.at(-1);
  if (window.mostSteps !== undefined && last !== undefined) compact(last, lastSteps([window.mostSteps - 1]), true);
  return { kept, tokens: used, gained, before, wanted: wantedSummary(items, places, { older, isRequired }) };
}

/** Each gap has a kept item after it, since the newest one is kept. */
function gapsIn(kept: readonly Item[], places: ReadonlyMap<number, number>): number {
  let gaps = 0;
  let next = 0;
  for (const { seq } of kept) {
    const place = places.get(seq) ?? next;
    if (place > next) gaps++;
    next = place + 1;
  }
  return gaps;
}

/** Which of the items that may be left out are kept, when so many tokens are free for them. */
type Choose = (items: readonly Item[], room: number) => ReadonlySet<Item>;

interface Compacted {
  readonly kept: Item[];
  /** Up to the newest that is left out. */
  readonly older: readonly Item[];
}

interface CompactOptions {
  readonly choose: Choose;
  readonly target: number;
  readonly hard: number;
}

function compacted(
  kept: readonly Item[],
  isRequired: (item: Item) => boolean,
  { choose, target, hard }: CompactOptions,
): Compacted {
  const recent = new Set(kept.slice(-recentSteps));
  let shorter = kept.map((item) =>
    recent.has(item) || item.pinned ? item : cutResults(item, { above: olderResultTokens, to: olderResultTokens }),
  );
  const cost = (items: readonly Item[]) => sum(items.map(costOf));
  if (cost(shorter.filter(isRequired)) > hard)
    shorter = shorter.map((item) =>
      isRequired(item) ? cutResults(item, { above: leastResultTokens, to: leastResultTokens }) : item,
    );
  const candidates = shorter.filter((item) => !isRequired(item));
  const chosen = choose(candidates, target - cost(shorter.filter(isRequired)));
  return {
    kept: shorter.filter((item) => isRequired(item) || chosen.has(item)),
    older: candidates.slice(0, candidates.findLastIndex((item) => !chosen.has(item)) + 1),
  };
}

/** With the note for a gap before it. */
function costOf(item: Item): number {
  return item.tokens + gapNoteTokens;
}

function chooserOf(policy: FoldOptions['policy']): Choose {
  switch (policy.kind) {
    case 'incremental':
      return newestAndWeightiest;
    case 'legacy':
      return lastSteps([16, 12, 8, 6, 3, 1, 0].map((count) => Math.max(0, count - 1)));
    case 'reset':
      return sinceLastRequest;
  }
}

/** The newest so many items: the first of the counts that fits, at last none. */
function lastSteps(counts: readonly number[]): Choose {
  return (items, room) => {
    for (const count of counts) {
      const tail = count === 0 ? [] : items.slice(-count);
      if (sum(tail.map(costOf)) <= room) return new Set(tail);
    }
    return new Set();
  };
}

/** From the last user message of weight on, {@link recentSteps} at least; of these the newest that fit. */
const sinceLastRequest: Choose = (items, room) => {
  const request = items.findLastIndex((item) => item.opensTurn && !isTrivial(item));
  const start = Math.max(0, Math.min(request === -1 ? items.length : request, items.length - recentSteps));
  return newestThatFit(items.slice(start), room);
};

const trivial = /^\W*(continue|go on|go ahead|carry on|proceed|ok(ay)?|yes|yep|sure|next|thanks?|thank you)\W*$/i;

function isTrivial(item: Item): boolean {
  const row = item.rows[0];
  return row?.kind === 'user' && trivial.test(row.body.text);
}

/** The {@link recentSteps} newest, then the others by what they did: newer counts a little more. */
const newestAndWeightiest: Choose = (items, room) => {
  const chosen = new Set(newestThatFit(items.slice(-recentSteps), room));
  let left = room - sum([...chosen].map(costOf));
  const older = items
    .slice(0, -recentSteps)
    .map((item, index, all) => ({ item, score: weightOf(item) - 0.05 * (all.length - index) }))
    .toSorted((a, b) => b.score - a.score || b.item.seq - a.item.seq);
  for (const { item } of older) {
    if (costOf(item) > left) continue;
    left -= costOf(item);
    chosen.add(item);
  }
  return chosen;
};

function newestThatFit(items: readonly Item[], room: number): ReadonlySet<Item> {
  const chosen = new Set<Item>();
  let left = room;
  for (const item of items.toReversed()) {
    if (costOf(item) > left) break;
    left -= costOf(item);
    chosen.add(item);
  }
  return chosen;
}

const fileTools = new Set(['read', 'write', 'edit', 'multiedit', 'apply_patch']);

function weightOf({ rows }: Item): number {
  const [first, ...results] = rows;
  if (first?.kind === 'user') return 5;
  if (first?.kind !== 'assistant' || first.body.toolCalls.length === 0) return 1;
  if (first.body.toolCalls.some((call) => fileTools.has(call.name))) return 4;
  return results.some((row) => row.kind === 'tool-result' && !row.body.ok) ? 3 : 2.5;
}

/** From the first that is left out or stands for something up to the last that is not among the newest. */
function wantedSummary(
  items: readonly Item[],
  places: ReadonlyMap<number, number>,
  now: { readonly older: readonly Item[]; readonly isRequired: (item: Item) => boolean },
): WantedSummary | undefined {
  const lastOlder = now.older.at(-1);
  if (lastOlder === undefined) return undefined;
  const upTo = items.slice(0, (places.get(lastOlder.seq) ?? 0) + 1);
  const covered = upTo.filter((item) => (item.isNote && item.fromSeq < item.toSeq) || !now.isRequired(item));
  const first = covered[0];
  const newTokens = sum(covered.map((item) => (item.isNote ? 0 : item.tokens)));
  if (first === undefined || newTokens < leastSummarisedTokens) return undefined;
  const toSeq = covered.reduce((last, item) => Math.max(last, item.toSeq), 0);
  return { fromSeq: first.fromSeq, toSeq, targetTokens: summaryTokens };
}

function pendingRequest(effective: readonly SessionEvent[]): WantedSummary | undefined {
  const made = new Set<string>();
  for (const { kind, body } of effective) if (kind === 'summary') made.add(`${body.fromSeq}-${body.toSeq}`);
  const pending = effective.findLast(
    ({ kind, body }) => kind === 'summary-request' && !made.has(`${body.fromSeq}-${body.toSeq}`),
  );
  return pending?.kind === 'summary-request' ? pending.body : undefined;
}

/** The item with its results above a size counted as if they were cut to another one; {@link rowsOf} cuts those that are sent. */
function cutResults(item: Item, size: { readonly above: number; readonly to: number }): Item {
  if (item.longestTokens <= size.above + frameTokens) return item;
  const sizes = item.sizes.map((tokens, index) =>
    item.rows[index]?.kind === 'tool-result' && tokens > size.above + frameTokens
      ? Math.min(tokens, Math.max(leastResultTokens, Math.floor(size.to)) + frameTokens)
      : tokens,
  );
  return { ...item, ...sizeFrom(item.rows, sizes) };
}

/** The rows of an item, with the middle left out of the results that are too long. */
function rowsOf({ rows, sizes }: Item): readonly SaidRow[] {
  return rows.map((row, index): SaidRow => {
    const size = sizes[index] ?? 0;
    if (row.kind !== 'tool-result' || rowTokens(row) <= size) return row;
    const { callId, tool, output } = row.body;
    const room = size - frameTokens - Math.ceil((callId.length + tool.length) / bytesPerToken);
    return { ...row, body: { ...row.body, output: cutText(output, row.seq, room) } };
  });
}

function cutText(text: string, seq: number, toTokens: number): string {
  for (let share = (toTokens / textTokens(text)) * 0.9; ; share *= 0.7) {
    const characters = Math.floor(text.length * share);
    const head = text.slice(0, Math.ceil(characters * 0.6)).toWellFormed();
    const tail = text.slice(text.length - Math.floor(characters * 0.4)).toWellFormed();
    const cut = text.length - characters;
    const short = `${head}\n[… ${cut} characters left out; context_browse with action "show_row" and row ${seq} shows them]\n${tail}`;
    if (textTokens(short) <= toTokens || characters < 16) return short;
  }
}

function gapNote(gap: readonly Item[]): SaidRow {
  const text = `[CONTEXT STATE] ${steps(gap.length)} left out here (rows ${gap[0]?.fromSeq}–${gap.at(-1)?.toSeq}); session_recall and context_browse show them.`;
  return { seq: gap[0]?.seq ?? 0, kind: 'user', body: { text, aside: true } };
}

function steps(count: number): string {
  return count === 1 ? '1 step' : `${count} steps`;
}

function leftOutOf(items: readonly Item[], reason: LeftOutReason): LeftOut {
  return {
    fromSeq: items[0]?.fromSeq ?? 0,
    toSeq: items.reduce((last, item) => Math.max(last, item.toSeq), 0),
    steps: items.length,
    reason,
    tokens: sum(items.map((item) => item.tokens)),
  };
}

/** Neighbours that are left out for the same reason, as one. */
function joined(parts: readonly LeftOut[]): readonly LeftOut[] {
  const result: LeftOut[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.reason !== part.reason || part.reason === 'cut') {
      result.push(part);
      continue;
    }
    const toSeq = Math.max(last.toSeq, part.toSeq);
    result[result.length - 1] = { ...last, toSeq, steps: last.steps + part.steps, tokens: last.tokens + part.tokens };
  }
  return result;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
