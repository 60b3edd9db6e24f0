import { describe, expect, it } from 'vitest';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolContext } from '../../activities/tools/tool.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import { recall } from '../../domain/session/recall.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { blocksOf } from '../../domain/session/turns.ts';
import { memoryToolSession } from '../support/tool-session.ts';
import { said, transcript } from '../support/transcripts.ts';

const { system, user, answer, result } = said;
const { call, describe: describeToolCall } = createToolRegistry();

/** Two turns and the step that calls a tool now. */
const talk = () =>
  transcript(
    system('rules'),
    user('rename the parser'),
    answer('I look.', 'a'),
    result('a', `export function parseDates() {}\n${'x'.repeat(30_000)}`),
    answer('Renamed.'),
    user('now the tests'),
    answer('', 'b'),
    result('b', 'AssertionError: expected friday', false),
    answer('', 'now'),
  );

function start(options: Parameters<typeof memoryToolSession>[0] = {}) {
  const session = memoryToolSession({ rows: talk(), ...options });
  const context: ToolContext = {
    session,
    workspace: { root: '/nowhere', mainCheckout: null },
    workspaceId: 'run:US-1',
    git: () => Promise.reject(new Error('not expected')),
    branch: 'story',
    runCommand: () => Promise.reject(new Error('not expected')),
    listFiles: () => Promise.reject(new Error('not expected')),
    signal: new AbortController().signal,
    onLine: () => undefined,
  };
  return { session, run: async (name: string, args: object) => await call(name, args, context) };
}

function contextOf(rows: readonly SessionEvent[]): string {
  const context = deriveContext(
    rows,
    { kind: 'incremental' },
    { model: 'openai/x', contextTokens: 90_000, reservedTokens: 0 },
  );
  return context.kind === 'derived' ? JSON.stringify(context.messages) : context.why;
}

describe('session_recall', () => {
  it('finds earlier steps by their words, best first, whatever is left out of the context', async () => {
    const { session, run } = start();
    await session.append({ kind: 'reset', body: { summary: 'all done' } });
    const { ok, output } = await run('session_recall', { query: 'assertionerror Friday' });
    expect(ok).toBe(true);
    expect(output).toMatch(/^turn 2, row 7:\n/);
    expect(output).toContain('expected friday');
    expect((await run('session_recall', { query: 'parseDates' })).output).toContain('export function parseDates');
  });

  it('says when there is nothing, and never finds the call that asks or what was undone', async () => {
    const { session, run } = start();
    expect((await run('session_recall', { query: 'nowhere' })).output).toBe(
      '(nothing in this session has these words)',
    );
    expect((await run('session_recall', { query: 'friday', limit: 5 })).output.match(/row \d+:/g)).toEqual(['row 7:']);
    await session.append({ kind: 'undo', body: { keepSeq: 5 } });
    expect((await run('session_recall', { query: 'friday' })).output).toContain('nothing in this session');
  });

  it('counts rare words more than frequent ones', () => {
    const rows = transcript(user('the the the plan'), user('the zebra'), user('the plan'), user('the plan again'));
    const { blocks } = blocksOf(rows);
    expect(recall(blocks, 'the plan zebra', 1).map(({ block }) => block.seq)).toEqual([2]);
    expect(recall(blocks, '!?', 2)).toEqual([]);
  });
});

describe('context_browse', () => {
  it('lists the turns, their steps, and rows in full in pieces', async () => {
    const { run } = start();
    expect((await run('context_browse', { action: 'list' })).output.split('\n')).toEqual([
      expect.stringMatching(/^turn 1 {2}rows 2–5, 3 steps, 9,\d\d\d tokens {2}rename the parser$/),
      expect.stringMatching(/^turn 2 {2}rows 6–9, 3 steps, \d+ tokens {2}now the tests$/),
    ]);
    const { output } = await run('context_browse', { action: 'show_turn', turn: 2 });
    expect(output).toContain('rows 7–8  you,');
    expect(output).toContain('failed');
    const first = await run('context_browse', { action: 'show_row', row: 4 });
    expect(first.output).toMatch(/^export function[^]*\[10032 more characters: offset 20000\]$/);
    const second = await run('context_browse', { action: 'show_row', row: 4, offset: 20_000 });
    expect(second.output).toBe('x'.repeat(10_032));
  });

  it('answers with what there is when asked for what there is not', async () => {
    const { run } = start();
    expect(await run('context_browse', { action: 'show_turn', turn: 3 })).toEqual({
      ok: false,
      output: 'error: there is no turn 3; there are 2',
    });
    expect((await run('context_browse', { action: 'show_row', row: 99 })).ok).toBe(false);
    expect((await run('context_browse', { action: 'show_row' })).ok).toBe(false);
  });
});

describe('context_pin', () => {
  it('keeps a turn or a step in the context after a reset, until it is unpinned', async () => {
    const { session, run } = start();
    expect((await run('context_pin', { action: 'pin', row: 8 })).output).toBe('pinned: rows 7–7');
    await run('context_reset', { summary: 'half done' });
    expect(contextOf(session.rows)).toContain('expected friday');
    expect((await run('context_pin', { action: 'list' })).output).toContain('rows 7–8');
    await run('context_pin', { action: 'unpin', row: 7 });
    expect(contextOf(session.rows)).not.toContain('expected friday');
    expect((await run('context_pin', { action: 'list' })).output).toBe('(nothing is pinned)');
  });

  it('refuses what would fill half the window, and what there is not', async () => {
    const { session, run } = start({ contextTokens: 10_000 });
    const before = session.rows.length;
    expect((await run('context_pin', { action: 'pin', turn: 1 })).output).toMatch(/at most 5,000 can be$/);
    expect((await run('context_pin', { action: 'pin', turn: 9 })).ok).toBe(false);
    expect(session.rows).toHaveLength(before);
  });
});

describe('context_reset', () => {
  it('leaves rules, the request under way and the summary in the context', async () => {
    const { session, run } = start();
    expect((await run('context_reset', { summary: 'tests are red at friday' })).ok).toBe(true);
    const shown = contextOf([
      ...session.rows,
      ...transcript(result('now', 'done')).map((row) => ({ ...row, seq: 11 })),
    ]);
    expect(shown).toContain('rules');
    expect(shown).toContain('now the tests');
    expect(shown).toContain('[CONTEXT RESET]\\ntests are red at friday');
    expect(shown).not.toContain('parser');
    expect(shown).not.toContain('done');
  });

  it('is refused where nothing may be left out', async () => {
    const { session, run } = start({ policy: { kind: 'off' } });
    const before = session.rows.length;
    expect((await run('context_reset', { summary: 'x' })).ok).toBe(false);
    expect((await run('context_summarize', { start: 2, end: 5 })).ok).toBe(false);
    expect(session.rows).toHaveLength(before);
  });
});

describe('context_budget', () => {
  it('is called by its bare name', () => {
    expect(describeToolCall('context_budget', {}).label).toBe('context_budget');
  });

  it('says how full the context is, what is left out, and what is pinned', async () => {
    const { session, run } = start();
    await session.append({ kind: 'pin', body: { fromSeq: 2, toSeq: 2, pinned: true } });
    await session.append({ kind: 'reset', body: { summary: 'ok' } });
    const { output } = await run('context_budget', {});
    expect(output).toContain('window of openai/x: 20,000 tokens, of them 18,000 for the conversation');
    expect(output).toMatch(/in use \d+ tokens \(\d+ %\), estimated; pinned \d+/);
    expect(output).toContain('policy incremental; 2 turns, 6 steps');
    expect(output).toMatch(/left out: rows 3–\d+, 4 steps, 9,\d\d\d tokens \(before a reset\)/);
  });
});

describe('context_summarize', () => {
  it('asks for a summary of earlier steps that is worth it', async () => {
    const { session, run } = start();
    expect((await run('context_summarize', { start: 2, end: 5 })).output).toMatch(/^rows 2–5 \(9,\d\d\d tokens\)/);
    expect(session.rows.at(-1)).toMatchObject({
      kind: 'summary-request',
      body: { fromSeq: 2, toSeq: 5, targetTokens: 512 },
    });
    expect((await run('context_summarize', { start: 6, end: 8 })).output).toContain('would not make them much shorter');
    expect((await run('context_summarize', { start: 9, end: 99 })).ok).toBe(false);
  });
});
