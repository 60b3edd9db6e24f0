import { describe, expect, it } from 'vitest';
import { answerTokensWithin, conversationTokens, windowTokens } from '../../domain/model/windows.ts';
import { utf8Bytes } from '../../domain/model/tokens.ts';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import type { ContextWindow } from '../../domain/session/derive-context.ts';
import { effectiveTranscript } from '../../domain/session/transcript.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { blocksOf, keepBefore, turnsOf } from '../../domain/session/turns.ts';
import { said, transcript } from '../support/transcripts.ts';

const { system, user, aside, answer, result } = said;
const incremental: ContextPolicy = { kind: 'incremental' };
const window = (contextTokens: number, more: Partial<ContextWindow> = {}): ContextWindow => ({
  model: 'openai/x',
  contextTokens,
  reservedTokens: 0,
  ...more,
});
const turns = (rows: readonly SessionEvent[]) => turnsOf(blocksOf(effectiveTranscript(rows)).blocks);

function derive(rows: readonly SessionEvent[], policy: ContextPolicy, of: ContextWindow) {
  const context = deriveContext(rows, policy, of);
  if (context.kind !== 'derived') throw new Error(context.why);
  return context;
}

/** What each message says, short. */
function texts(rows: readonly SessionEvent[], policy: ContextPolicy, of: ContextWindow): string[] {
  return derive(rows, policy, of).messages.map((row) =>
    row.kind === 'tool-result' ? `= ${row.body.output.slice(0, 12)}` : row.body.text.slice(0, 40).split('\n', 1).join(),
  );
}

/** A request and so many steps, each of some 1,050 tokens. */
function longTurn(steps: number): SessionEvent[] {
  return transcript(
    system('rules'),
    user('the task'),
    ...Array.from({ length: steps }, (_, index) => [
      answer(`step ${index + 1}`, `c${index}`),
      result(`c${index}`, 'x'.repeat(3200)),
    ]).flat(),
  );
}

describe('turns', () => {
  const rows = transcript(
    system('s'),
    user('one'),
    answer('1'),
    aside('by the way'),
    answer('1b'),
    user('two'),
    answer('2'),
  );

  it('begin with a user message that is no aside', () => {
    expect(turns(rows).map(({ number, fromSeq, toSeq }) => [number, fromSeq, toSeq])).toEqual([
      [1, 2, 5],
      [2, 6, 7],
    ]);
  });

  it('are counted back for an undo, which cannot go beyond the first', () => {
    expect(keepBefore(turns(rows), 1)).toEqual({ keepSeq: 5 });
    expect(keepBefore(turns(rows), 2)).toEqual({ keepSeq: 1 });
    expect(keepBefore(turns(rows), 3)).toBeUndefined();
    expect(keepBefore(turns(rows), 0)).toBeUndefined();
  });

  it('that were undone do not count, and come back with a redo until something is said', () => {
    const undone = [...rows, ...transcript({ kind: 'undo', body: { keepSeq: 5 } }).map((row) => ({ ...row, seq: 8 }))];
    expect(turns(undone)).toHaveLength(1);
    const redo = { seq: 9, kind: 'redo', body: {} } as const;
    expect(turns([...undone, redo])).toHaveLength(2);
    const other = { seq: 9, kind: 'user', body: { text: 'other' } } as const;
    expect(turns([...undone, other, { ...redo, seq: 10 }]).map(({ fromSeq }) => fromSeq)).toEqual([2, 9]);
  });
});

describe('a context', () => {
  it('is the whole transcript while that fits', () => {
    const rows = longTurn(20);
    const { messages, leftOut, wanted } = derive(rows, incremental, window(100_000));
    expect(messages).toEqual(rows);
    expect(leftOut).toEqual([]);
    expect(wanted).toBeUndefined();
  });

  it('keeps rules, task and the newest steps when it no longer fits, says what is left out and wants a summary', () => {
    const rows = longTurn(20);
    const context = derive(rows, incremental, window(12_000));
    expect(context.messages[0]).toEqual(rows[0]);
    expect(context.messages[1]).toEqual(rows[1]);
    expect(context.messages.slice(-2)).toEqual(rows.slice(-2));
    expect(JSON.stringify(context.messages)).toContain('[CONTEXT STATE]');
    expect(context.leftOut.some(({ reason, steps }) => reason === 'window' && steps > 5)).toBe(true);
    expect(context.wanted).toMatchObject({ fromSeq: 3, targetTokens: 1024 });
  });

  it('holds a summary in the place of its range, and never in that of the task under way or of pinned steps', () => {
    const rows = longTurn(6);
    const more: SessionEvent[] = [
      ...rows,
      { seq: 15, kind: 'pin', body: { fromSeq: 5, toSeq: 5, pinned: true } },
      { seq: 16, kind: 'summary', body: { fromSeq: 2, toSeq: 10, text: 'It went well.' } },
    ];
    expect(texts(more, incremental, window(100_000))).toEqual([
      'rules',
      'the task',
      '[CONTEXT SUMMARY] 3 steps left out here ',
      'step 2',
      '= xxxxxxxxxxxx',
      'step 5',
      '= xxxxxxxxxxxx',
      'step 6',
      '= xxxxxxxxxxxx',
    ]);
    const larger = [...more, { seq: 17, kind: 'summary', body: { fromSeq: 2, toSeq: 12, text: 'All fine.' } } as const];
    expect(texts(larger, incremental, window(100_000)).filter((text) => text.startsWith('['))).toHaveLength(1);
    expect(JSON.stringify(derive(larger, incremental, window(100_000)).messages)).not.toContain('It went well.');
  });

  it('begins anew at a reset, with its summary, the task under way and what is pinned', () => {
    const rows: SessionEvent[] = [
      ...transcript(system('rules'), user('old task'), answer('old'), user('the task'), answer('did it')),
      { seq: 6, kind: 'pin', body: { fromSeq: 3, toSeq: 3, pinned: true } },
      { seq: 7, kind: 'reset', body: { summary: 'half done' } },
      { seq: 8, kind: 'assistant', body: { text: 'going on', toolCalls: [] } },
    ];
    expect(texts(rows, incremental, window(10_000))).toEqual([
      'rules',
      'old',
      'the task',
      '[CONTEXT RESET]',
      'going on',
    ]);
    expect(texts(rows, { kind: 'off' }, window(10_000))).toEqual([
      'rules',
      'old task',
      'old',
      'the task',
      'did it',
      'going on',
    ]);
  });

  it('cuts a result that is too long for it, and says how the rest is found', () => {
    const rows = transcript(user('task'), answer('look', 'a'), result('a', 'y'.repeat(40_000)));
    const { messages, leftOut } = derive(rows, incremental, window(8_000));
    expect(JSON.stringify(messages.at(-1))).toContain('context_browse with action \\"show_row\\" and row 3');
    expect(leftOut).toMatchObject([{ reason: 'cut', fromSeq: 2, toSeq: 3 }]);
  });

  it('of the legacy policy ends with the last 16, 12, 8, 6, 3 or 1 steps', () => {
    const { messages } = derive(longTurn(40), { kind: 'legacy' }, window(16_000));
    const steps = messages.filter((row) => row.kind === 'assistant').length;
    expect(steps).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(messages)).toContain('step 40');
  });

  it('of the reset policy goes back to the last request of weight once half the window is used', () => {
    const rows = transcript(
      user('a long story'),
      ...Array.from({ length: 12 }, (_, index) => answer(`${index} ${'x'.repeat(1600)}`)),
      user('build the thing'),
      answer('built a part'),
      user('continue'),
      ...Array.from({ length: 7 }, (_, index) => answer(`part ${index}`)),
    );
    const shown = texts(rows, { kind: 'reset', thresholdTokens: 6000 }, window(30_000));
    expect(shown.slice(-10)).toEqual([
      'build the thing',
      'built a part',
      'continue',
      ...Array.from({ length: 7 }, (_, index) => `part ${index}`),
    ]);
    expect(texts(rows, { kind: 'reset' }, window(30_000))).toHaveLength(rows.length);
  });

  it('prefers steps that touched files to others when only some fit', () => {
    const call = (name: string, id: string) =>
      ({ kind: 'assistant', body: { text: id, toolCalls: [{ id, name, args: {} }] } }) as const;
    const steps = Array.from({ length: 40 }, (_, index) => [
      call(index % 4 === 0 ? 'edit' : 'bash', `c${index}`),
      result(`c${index}`, 'x'.repeat(1000)),
    ]).flat();
    const { messages } = derive(transcript(user('task'), ...steps), incremental, window(12_000));
    const older = messages.flatMap((row) => (row.kind === 'assistant' && row.seq < 20 ? row.body.toolCalls : []));
    expect(older.length).toBeGreaterThan(0);
    expect(older.every(({ name }) => name === 'edit')).toBe(true);
  });

  it('is refused when what may not be left out does not fit, naming the sizes', () => {
    const rows = transcript(user('z'.repeat(40_000)));
    expect(deriveContext(rows, incremental, window(8_000))).toEqual({
      kind: 'too-long',
      why: 'required',
      tokens: 12_516,
      budgetTokens: 7_200,
    });
  });

  it('is refused when a compaction would free next to nothing', () => {
    const rows: SessionEvent[] = [
      ...transcript(
        user('u'.repeat(12_000)),
        answer('a'.repeat(9_000)),
        answer('s'.repeat(1_500)),
        answer('b'.repeat(400)),
      ),
      { seq: 5, kind: 'pin', body: { fromSeq: 2, toSeq: 2, pinned: true } },
    ];
    expect(deriveContext(rows, incremental, window(8_000))).toMatchObject({ kind: 'too-long', why: 'no-gain' });
  });

  it('is shorter for a model that has refused a longer one, and for as few steps as are asked for', () => {
    const learnt = (model: string): SessionEvent => ({ seq: 99, kind: 'window', body: { model, tokens: 5_000 } });
    const rows = longTurn(20);
    expect(derive([...rows, learnt('openai/x')], incremental, window(90_000)).budgetTokens).toBe(5_000);
    expect(derive([...rows, learnt('openai/y')], incremental, window(90_000)).budgetTokens).toBe(81_000);
    const { messages } = derive(rows, incremental, window(90_000, { mostSteps: 3 }));
    expect(messages.filter((row) => row.kind === 'assistant').map(({ seq }) => seq)).toEqual([37, 39, 41]);
  });

  it('wants the summary that the agent has asked for, until it is there', () => {
    const rows = longTurn(4);
    const range = { fromSeq: 3, toSeq: 6 };
    const asked: SessionEvent[] = [
      ...rows,
      { seq: 11, kind: 'summary-request', body: { ...range, targetTokens: 300 } },
    ];
    expect(derive(asked, incremental, window(90_000)).wanted).toEqual({ ...range, targetTokens: 300 });
    const made: SessionEvent[] = [...asked, { seq: 12, kind: 'summary', body: { ...range, text: 'ok' } }];
    expect(derive(made, incremental, window(90_000)).wanted).toBeUndefined();
  });
});

describe('windows', () => {
  it('are the user’s own, else the table’s by the longest beginning, else a careful guess', () => {
    expect(windowTokens({ provider: 'anthropic', model: 'claude-sonnet-5-5', effort: null })).toBe(1_000_000);
    expect(windowTokens({ model: 'claude-haiku-4-5' })).toBe(200_000);
    expect(windowTokens({ model: 'vendor/gpt-5-mini' })).toBe(400_000);
    expect(windowTokens({ model: 'qwen3-coder' })).toBe(128_000);
    const rates = { inputUsd: 0, cachedInputUsd: 0, cacheWriteUsd: 0, outputUsd: 0 };
    expect(windowTokens({ model: 'qwen3-coder' }, { qwen3: { ...rates, contextTokens: 32_768 } })).toBe(32_768);
    expect(windowTokens({ model: 'gpt-5' }, { 'gpt-5': rates })).toBe(400_000);
  });

  it('leave room for the answer and for the error of the estimate', () => {
    expect(conversationTokens({ contextTokens: 10_000, reservedTokens: 2_000 })).toBe(7_200);
    expect(conversationTokens({ contextTokens: 1_000, reservedTokens: 2_000 })).toBe(0);
    expect(answerTokensWithin(8_000, 8_192)).toBe(2_000);
    expect(answerTokensWithin(200_000, 8_192)).toBe(8_192);
  });

  it('are filled with UTF-8 bytes', () => {
    for (const text of ['', 'abc', 'größe', '値 = 1', '😀', '\ud800'])
      expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
  });
});
