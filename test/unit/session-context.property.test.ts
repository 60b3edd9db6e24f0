import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import { deriveContext, rowTokens } from '../../domain/session/derive-context.ts';
import type { DerivedContext } from '../../domain/session/derive-context.ts';
import { effectiveTranscript } from '../../domain/session/transcript.ts';
import type { SaidRow, SessionEvent } from '../../domain/session/transcript.ts';
import { blocksOf } from '../../domain/session/turns.ts';
import { faultOf, furtherRows, plainTranscripts, wildTranscripts } from '../support/transcripts.ts';

const hardPolicies = fc.constantFrom<ContextPolicy>({ kind: 'incremental' }, { kind: 'legacy' });
const policies = fc.oneof(
  hardPolicies,
  fc.constantFrom<ContextPolicy>({ kind: 'off' }, { kind: 'reset' }, { kind: 'reset', thresholdTokens: 900 }),
  fc.constant<ContextPolicy>({ kind: 'incremental', budgetTokens: 700 }),
);
const windows = fc
  .oneof(fc.integer({ min: 300, max: 3000 }), fc.integer({ min: 3000, max: 60_000 }))
  .map((contextTokens) => ({ model: 'openai/x', contextTokens, reservedTokens: 0 }));

const derived = (context: DerivedContext) => {
  fc.pre(context.kind === 'derived');
  return context;
};
const isNote = (row: SaidRow) => row.kind === 'user' && row.body.text.startsWith('[CONTEXT ');
const runs = { numRuns: 400 };

describe('a derived context', () => {
  it('pairs each call with exactly one result right after its answer, in order, whatever happened to the session', () => {
    fc.assert(
      fc.property(wildTranscripts, policies, windows, (rows, policy, window) => {
        expect(faultOf(derived(deriveContext(rows, policy, window)).messages)).toBeUndefined();
      }),
      runs,
    );
  });

  it('never exceeds what the window leaves', () => {
    fc.assert(
      fc.property(wildTranscripts, policies, windows, (rows, policy, window) => {
        const { messages, tokens, budgetTokens } = derived(deriveContext(rows, policy, window));
        expect(messages.reduce((sum, row) => sum + rowTokens(row), 0)).toBeLessThanOrEqual(tokens);
        expect(tokens).toBeLessThanOrEqual(budgetTokens);
        expect(budgetTokens).toBeLessThanOrEqual(window.contextTokens * 0.9);
      }),
      runs,
    );
  });

  it('always holds the system prompt, pinned steps, and the user message of the newest turn unless it was reset or pinned away', () => {
    fc.assert(
      fc.property(wildTranscripts, policies, windows, (rows, policy, window) => {
        const { messages } = derived(deriveContext(rows, policy, window));
        const seqs = new Set(messages.filter((row) => !isNote(row)).map(({ seq }) => seq));
        const effective = effectiveTranscript(rows);
        const { system, blocks } = blocksOf(effective);
        for (const { seq } of system) expect(seqs).toContain(seq);
        const pinned = new Map<number, boolean>();
        for (const { kind, body } of effective)
          if (kind === 'pin')
            for (const { seq } of blocks) if (seq >= body.fromSeq && seq <= body.toSeq) pinned.set(seq, body.pinned);
        for (const [seq, isPinned] of pinned) if (isPinned) expect(seqs).toContain(seq);
        const opening = blocks.findLast((block) => block.opensTurn);
        if (opening !== undefined) expect(seqs).toContain(opening.seq);
      }),
      runs,
    );
  });

  it('is a pure function: rows are not changed, and the same come back as they were said', () => {
    fc.assert(
      fc.property(wildTranscripts, policies, windows, (rows, policy, window) => {
        const before = JSON.stringify(rows);
        const once = deriveContext(rows, policy, window);
        expect(JSON.stringify(rows)).toBe(before);
        expect(deriveContext(structuredClone(rows), policy, window)).toEqual(once);
        const bySeq = new Map(rows.map((row) => [row.seq, row]));
        for (const row of derived(once).messages)
          if (!isNote(row) && row.kind !== 'tool-result') expect(bySeq.get(row.seq)).toEqual(row);
      }),
      runs,
    );
  });

  it('is the same when it is derived from itself', () => {
    fc.assert(
      fc.property(plainTranscripts, hardPolicies, windows, (rows, policy, window) => {
        const once = derived(deriveContext(rows, policy, window));
        expect(derived(deriveContext(once.messages, policy, window)).messages).toEqual(once.messages);
      }),
      runs,
    );
  });

  it('never takes back in what it has left out, and begins as before until it is compacted again', () => {
    const grown = plainTranscripts.chain((rows) => furtherRows(rows).map((more) => ({ rows, more })));
    fc.assert(
      fc.property(grown, hardPolicies, windows, ({ rows, more }, policy, window) => {
        const before = derived(deriveContext(rows, policy, window));
        const after = derived(deriveContext(more, policy, window));
        const shown = new Set(before.messages.filter((row) => !isNote(row)).map(({ seq }) => seq));
        const last = rows.at(-1)?.seq ?? 0;
        for (const row of after.messages) if (!isNote(row) && row.seq <= last) expect(shown).toContain(row.seq);
        const leftOut = (context: typeof before) => context.leftOut.reduce((sum, { tokens }) => sum + tokens, 0);
        if (leftOut(after) === leftOut(before))
          expect(after.messages.slice(0, before.messages.length)).toEqual(before.messages);
      }),
      runs,
    );
  });

  it('holds every step of the effective transcript when the policy is off, and fails rather than leave one out', () => {
    fc.assert(
      fc.property(wildTranscripts, windows, (rows, window) => {
        const context = deriveContext(rows, { kind: 'off' }, window);
        const { system, blocks } = blocksOf(effectiveTranscript(rows));
        const all = [...system, ...blocks.flatMap((block) => block.rows)];
        if (context.kind === 'derived') expect(context.messages).toEqual(all);
        else expect(all.reduce((sum, row) => sum + rowTokens(row), 0)).toBeGreaterThan(context.budgetTokens);
      }),
      runs,
    );
  });
});

describe('undo', () => {
  const append = (rows: readonly SessionEvent[], kind: 'undo' | 'redo', keepSeq = 0): SessionEvent[] => {
    const seq = (rows.at(-1)?.seq ?? 0) + 1;
    return [...rows, kind === 'undo' ? { seq, kind, body: { keepSeq } } : { seq, kind, body: {} }];
  };

  it('gives the context of the transcript as it was then; redo gives the one before the undo back', () => {
    const at = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(plainTranscripts, hardPolicies, windows, at, (rows, policy, window, share) => {
        const keepSeq = Math.floor(share * (rows.at(-1)?.seq ?? 0));
        const undone = append(rows, 'undo', keepSeq);
        const kept = rows.filter(({ seq }) => seq <= keepSeq);
        expect(deriveContext(undone, policy, window)).toEqual(deriveContext(kept, policy, window));
        expect(effectiveTranscript(append(undone, 'redo'))).toEqual(effectiveTranscript(rows));
        const twice = append(append(undone, 'undo', Math.floor(keepSeq / 2)), 'redo');
        expect(effectiveTranscript(twice)).toEqual(effectiveTranscript(undone));
      }),
      runs,
    );
  });
});
