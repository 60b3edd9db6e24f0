import type { RequestedToolCall, SaidRow, SessionEvent, SessionEventBody } from './transcript.ts';

/**
 * The smallest part of a transcript that can be sent or left out: what a person said, or an answer with the results of its
 * tool calls (a step).
 */
export interface Block {
  /** Of its first row. */
  readonly seq: number;
  /** Of its last row. */
  readonly toSeq: number;
  /** From 1; 0 before the first turn. */
  readonly turn: number;
  /** The user message that the turn answers. */
  readonly opensTurn: boolean;
  /** One user row, or one answer with exactly one result for each of its calls right after it, in the calls' order. */
  readonly rows: readonly SaidRow[];
}

export interface Turn {
  /** From 1, in the order of the effective transcript. */
  readonly number: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly blocks: readonly Block[];
}

const noResult =
  'no result: the call was lost before it could answer; look at the state of things and repeat it if needed';

/**
 * An effective transcript in its smallest parts, system rows apart. A call without a result gets one that says so, results of
 * no call are dropped, and of several results of one call the first counts.
 */
export function blocksOf(rows: readonly SessionEvent[]): {
  readonly system: readonly SessionEvent<'system'>[];
  readonly blocks: readonly Block[];
} {
  const system: SessionEvent<'system'>[] = [];
  const found: { readonly row: SessionEvent<'user' | 'assistant'>; readonly results: Results }[] = [];
  const asked = new Map<string, Results>();
  for (const row of rows) {
    if (row.kind === 'system') system.push(row);
    if (row.kind === 'user') found.push({ row, results: new Map() });
    if (row.kind === 'assistant') {
      const results: Results = new Map();
      for (const call of row.body.toolCalls) asked.set(call.id, results);
      found.push({ row, results });
    }
    if (row.kind === 'tool-result') {
      const results = asked.get(row.body.callId);
      if (results?.has(row.body.callId) === false) results.set(row.body.callId, row);
    }
  }
  let turn = 0;
  const blocks = found.map(({ row, results }): Block => {
    if (row.kind === 'user') {
      const opensTurn = row.body.aside !== true;
      if (opensTurn) turn++;
      return { seq: row.seq, toSeq: row.seq, turn, opensTurn, rows: [row] };
    }
    const answered = row.body.toolCalls.map((call) => results.get(call.id) ?? lostResult(row.seq, call));
    const toSeq = answered.reduce((last, result) => Math.max(last, result.seq), row.seq);
    return { seq: row.seq, toSeq, turn, opensTurn: false, rows: [row, ...answered] };
  });
  return { system, blocks };
}

type Results = Map<string, SessionEvent<'tool-result'>>;

function lostResult(seq: number, call: RequestedToolCall): SessionEvent<'tool-result'> {
  const body: SessionEventBody<'tool-result'> = { callId: call.id, tool: call.name, ok: false, output: noResult };
  return { seq, kind: 'tool-result', body };
}

/** The turns of an effective transcript, oldest first. What came before the first user message is in none. */
export function turnsOf(blocks: readonly Block[]): readonly Turn[] {
  const turns = Map.groupBy(
    blocks.filter((block) => block.turn > 0),
    (block) => block.turn,
  );
  return [...turns].map(([number, own]) => ({
    number,
    fromSeq: own[0]?.seq ?? 0,
    toSeq: own.reduce((last, block) => Math.max(last, block.toSeq), 0),
    blocks: own,
  }));
}

/**
 * The body of the undo that takes the last `count` turns back, or of the fork that leaves them out; undefined when there are not
 * so many turns.
 */
export function keepBefore(turns: readonly Turn[], count: number): { readonly keepSeq: number } | undefined {
  const first = turns.at(-count);
  return first === undefined || count < 1 ? undefined : { keepSeq: first.fromSeq - 1 };
}
