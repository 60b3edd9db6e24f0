import * as fc from 'fast-check';
import type { NewSessionEvent, SaidRow, SessionEvent } from '../../domain/session/transcript.ts';

/** Rows numbered from 1, without their keys. */
export function transcript(...events: readonly Omit<NewSessionEvent, 'key'>[]): SessionEvent[] {
  return events.map((event, index) => ({ seq: index + 1, ...event }) as SessionEvent);
}

export const said = {
  system: (text: string) => ({ kind: 'system', body: { text } }) as const,
  user: (text: string) => ({ kind: 'user', body: { text } }) as const,
  aside: (text: string) => ({ kind: 'user', body: { text, aside: true } }) as const,
  answer: (text: string, ...ids: string[]) =>
    ({
      kind: 'assistant',
      body: { text, toolCalls: ids.map((id) => ({ id, name: 'read', args: { path: id } })) },
    }) as const,
  result: (callId: string, output: string, ok = true) =>
    ({ kind: 'tool-result', body: { callId, tool: 'read', ok, output } }) as const,
};

type Said = Omit<NewSessionEvent, 'key'>;
type Move =
  | { readonly kind: 'said'; readonly what: 'user' | 'aside' | 'answer'; readonly size: number; readonly calls: number }
  | { readonly kind: 'lost-call' | 'orphan' | 'redo' }
  | { readonly kind: 'undo' | 'pin' | 'unpin' | 'summary' | 'reset'; readonly at: number; readonly length: number };

const size = fc.oneof({ weight: 8, arbitrary: fc.nat(600) }, { weight: 1, arbitrary: fc.nat(12_000) });
const saidMove: fc.Arbitrary<Move> = fc.record({
  kind: fc.constant('said' as const),
  what: fc.constantFrom('user' as const, 'aside' as const, 'answer' as const, 'answer' as const, 'answer' as const),
  size,
  calls: fc.nat(3),
});
const place = { at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(30) };
const controlMove: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ kind: fc.constantFrom('lost-call' as const, 'orphan' as const, 'redo' as const) }),
  fc.record({ kind: fc.constantFrom('undo' as const, 'pin' as const, 'unpin' as const, 'summary' as const), ...place }),
  fc.record({ kind: fc.constant('reset' as const), ...place }),
);

/** Whole steps only: what a session looks like before each model call. */
export const plainTranscripts = fc
  .array(saidMove, { minLength: 1, maxLength: 60 })
  .map((moves) => toRows([{ kind: 'said', what: 'user', size: 40, calls: 0 }, ...moves]));

/** With lost calls, orphans, undo, redo, pins, summaries and resets anywhere. */
export const wildTranscripts = fc
  .array(fc.oneof({ weight: 6, arbitrary: saidMove }, { weight: 1, arbitrary: controlMove }), { maxLength: 80 })
  .map(toRows);

/** A further whole step, or something said. */
export const furtherRows = (rows: readonly SessionEvent[]): fc.Arbitrary<readonly SessionEvent[]> =>
  saidMove.map((move) => toRows([move], rows));

function toRows(moves: readonly Move[], before: readonly SessionEvent[] = []): SessionEvent[] {
  const rows: SessionEvent[] = [...before];
  const add = (event: Said) => rows.push({ seq: (rows.at(-1)?.seq ?? 0) + 1, ...event } as SessionEvent);
  if (rows.length === 0) add(said.system('You write software.'));
  for (const move of moves) {
    const next = (rows.at(-1)?.seq ?? 0) + 1;
    const at = move.kind === 'said' || !('at' in move) ? 1 : 1 + Math.floor(move.at * (next - 1));
    switch (move.kind) {
      case 'said': {
        if (move.what !== 'answer') {
          add(said[move.what](text(move.size, next)));
          break;
        }
        const ids = Array.from({ length: move.calls }, (_, index) => `c${next}-${index}`);
        add(said.answer(text(ids.length === 0 ? move.size : 30, next), ...ids));
        for (const id of ids) add(said.result(id, text(move.size, next), move.size % 5 !== 0));
        break;
      }
      case 'lost-call':
        add(said.answer('', `lost${next}`));
        break;
      case 'orphan':
        add(said.result(`nobody${next}`, 'x'));
        break;
      case 'redo':
        add({ kind: 'redo', body: {} });
        break;
      case 'undo':
        add({ kind: 'undo', body: { keepSeq: at } });
        break;
      case 'pin':
      case 'unpin':
        add({ kind: 'pin', body: { fromSeq: at, toSeq: at + move.length, pinned: move.kind === 'pin' } });
        break;
      case 'summary':
        add({ kind: 'summary', body: { fromSeq: at, toSeq: Math.min(next - 1, at + move.length), text: 'in short' } });
        break;
      case 'reset':
        add({ kind: 'reset', body: { summary: 'so far so good' } });
    }
  }
  return rows;
}

/** English, code-like, and sometimes not ASCII. */
function text(characters: number, seed: number): string {
  const words = ['const ', 'value ', 'is ', 'größer ', '値 ', '= 1;\n'];
  let made = '';
  for (let index = seed; made.length < characters; index++) made += words[index % words.length];
  return made.slice(0, characters);
}

/** The first thing that is wrong with the order or pairing of what a model is sent; undefined when nothing is. */
export function faultOf(messages: readonly SaidRow[]): string | undefined {
  let open: string[] = [];
  let last = 0;
  for (const row of messages) {
    if (row.kind === 'tool-result') {
      const expected = open.shift();
      if (expected !== row.body.callId) return `result of ${row.body.callId} in the place of ${expected}`;
      continue;
    }
    if (open.length > 0) return `no result of ${open.join(', ')}`;
    if (row.seq <= last) return `row ${row.seq} after ${last}`;
    last = row.seq;
    if (row.kind === 'assistant') open = row.body.toolCalls.map((call) => call.id);
  }
  return open.length === 0 ? undefined : `no result of ${open.join(', ')} at the end`;
}
