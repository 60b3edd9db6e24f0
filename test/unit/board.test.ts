import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catchUp, emptyBoard, passedCount, reduceBoard, waitsFor } from '../../domain/run/board.ts';
import { isWorkedOn } from '../../domain/run/board-story.ts';
import type { Board } from '../../domain/run/board.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { events, firstRun, snapshotAt } from './board-fixture.ts';

const fold = (board: Board, some: readonly RunEvent[]) => some.reduce(reduceBoard, board);
const upTo = (seq: number) => fold(emptyBoard(firstRun), events.slice(0, seq));
const story = (board: Board, storyId: string) => board.stories.find((candidate) => candidate.storyId === storyId);
const seqOf = (kind: RunEvent['kind'], storyId?: string) =>
  events.find((event) => event.kind === kind && (storyId === undefined || event.storyId === storyId))?.seq ?? 0;

describe('the board of a run', () => {
  it('shows the step that a story is at, with the newest line of its output', () => {
    const board = upTo(seqOf('step-output'));
    expect(story(board, 'US-003')).toMatchObject({
      state: 'running',
      attempts: 1,
      step: 1,
      activity: 'bash npm test',
      outputLine: 'not ok 3 - overdue is red',
    });
  });

  it('shows what an agent of a story is at with its name, and takes its answer for no end of the story', () => {
    const board = upTo(seqOf('step-output'));
    const of = { seq: 1_000, at: '', storyId: 'US-003', attempt: 1 } as const;
    const started: RunEvent = { ...of, kind: 'step-started', body: { agent: 'scout', step: 2, label: 'read a.txt' } };
    const counts = { inputTokens: 1, outputTokens: 1, costUsd: 0, durationMs: 1, text: '', toolCalls: [] };
    const answered: RunEvent = { ...of, kind: 'model-answered', body: { agent: 'scout', step: 2, ...counts } };
    const after = fold(board, [started, answered]);
    expect(story(after, 'US-003')).toMatchObject({ state: 'running', activity: 'scout: read a.txt' });
  });

  it('has the stories of an edited PRD, unless the snapshot has them already', () => {
    const board = upTo(seqOf('step-output'));
    const head = (storyId: string) => ({ storyId, title: `new ${storyId}`, dependsOn: [] });
    const body = {
      added: [head('US-009')],
      changed: [head('US-002')],
      removed: ['US-005'],
      passed: ['US-003'],
      reopened: ['US-001'],
      changedGates: [],
      removedGates: ['lint'],
      texts: false,
      gates: ['test'],
      stopped: ['US-003'],
    };
    const event: RunEvent = { seq: 1_000, at: '', storyId: null, attempt: null, kind: 'prd-reloaded', body };
    const after = reduceBoard(board, event);
    expect(after.stories.map(({ storyId, state }) => `${storyId} ${state}`)).toEqual([
      'US-001 open',
      'US-002 open',
      'US-003 passed',
      'US-004 open',
      'US-009 open',
    ]);
    expect(after.gates).toEqual(['test']);
    expect(story(after, 'US-002')?.title).toBe('new US-002');
    expect(reduceBoard({ ...board, snapshotSeq: 1_000 }, event).stories).toEqual(board.stories);
  });

  it('leaves failed stories as they are when only one is tried again', () => {
    const ended = upTo(events.length);
    const started = events.find((event) => event.kind === 'run-started');
    if (started?.kind !== 'run-started') throw new Error('the fixture has no start');
    const states = (retry: object) =>
      reduceBoard(ended, { ...started, seq: 1_000, body: { ...started.body, execution: 2, ...retry } }).stories.map(
        ({ state }) => state,
      );
    expect(states({})).toEqual(['passed', 'passed', 'open', 'open', 'open']);
    expect(states({ retry: 'US-003' })).toEqual(['passed', 'passed', 'open', 'open', 'open']);
    expect(states({ retry: 'US-004' })).toEqual(['passed', 'passed', 'failed', 'open', 'open']);
  });

  it('takes no output line of a step that is over', () => {
    const board = upTo(seqOf('step-output'));
    const late = { ...events[seqOf('step-output') - 1], seq: 1_000, body: { step: 0, line: 'late' } } as RunEvent;
    expect(story(reduceBoard(board, late), 'US-003')?.outputLine).toBe('not ok 3 - overdue is red');
  });

  it('goes from the last answer through the gates to the merge', () => {
    const shown = ['model-answered', 'gate-ended', 'gate-ended', 'gate-ended', 'gate-ended', 'story-passed'].map(
      (_, index) => {
        const board = upTo(10 + index);
        return [story(board, 'US-001')?.state, story(board, 'US-001')?.activity];
      },
    );
    expect(shown).toEqual([
      ['checking', 'gate lint'],
      ['checking', 'gate test'],
      ['merging', 'merging'],
      ['merging', 'gate test on the merged tree'],
      ['merging', 'merging'],
      ['passed', null],
    ]);
  });

  it('shows the output of a gate while it runs, and none of it afterwards', () => {
    const line = { ...events[seqOf('step-output') - 1], storyId: 'US-001', body: { step: 0, line: '✔ saves' } };
    const during = reduceBoard(upTo(11), { ...line, seq: 12 } as RunEvent);
    const after = reduceBoard(upTo(15), { ...line, seq: 16 } as RunEvent);
    expect([story(during, 'US-001')?.outputLine, story(after, 'US-001')?.outputLine]).toEqual(['✔ saves', null]);
  });

  it('keeps what went wrong on the way to a pass', () => {
    expect(story(upTo(events.length), 'US-002')).toMatchObject({
      state: 'passed',
      attempts: 2,
      durationMs: 79_000,
      tokens: 9_000,
      problem: null,
      failures: [{ reason: 'gate-failed', gate: 'test' }],
    });
  });

  it('lets a red story wait for its next attempt', () => {
    const board = upTo(seqOf('attempt-failed', 'US-002'));
    expect(story(board, 'US-002')).toMatchObject({
      state: 'open',
      attempts: 1,
      problem: 'gate test: 1 of 14 tests (parse.test.js)',
    });
  });

  it('says what an open story waits for until that has passed', () => {
    const before = upTo(3);
    const after = upTo(seqOf('story-passed', 'US-001'));
    expect(before.stories.map((open) => waitsFor(before, open))).toEqual([
      [],
      ['US-001'],
      ['US-001'],
      ['US-002'],
      ['US-003'],
    ]);
    expect(after.stories.map((open) => waitsFor(after, open))).toEqual([[], [], [], ['US-002'], ['US-003']]);
  });

  it('ends with nobody at work, the failed story with its worktree, its dependent blocked', () => {
    const board = upTo(events.length);
    expect(board.status).toBe('quality-failed');
    expect(board.stories.filter(isWorkedOn)).toEqual([]);
    expect(passedCount(board)).toBe(2);
    expect(story(board, 'US-003')).toMatchObject({
      state: 'failed',
      workspace: '/home/ada/todo-cli/.codetether-worktrees/us-003',
    });
    expect(story(board, 'US-005')).toMatchObject({ state: 'blocked', blockedBy: ['US-003'] });
    expect(story(board, 'US-004')).toMatchObject({ state: 'open', attempts: 1 });
  });

  it('opens failed and blocked stories again when a further execution starts', () => {
    const again = { ...events[0], seq: 500, body: { ...events[0]?.body, execution: 2 } } as RunEvent;
    const board = reduceBoard(upTo(events.length), again);
    expect(board.stories.map((each) => each.state)).toEqual(['passed', 'passed', 'open', 'open', 'open']);
    expect([board.status, board.endedAt, board.ended]).toEqual(['running', null, null]);
  });
});

/** What a snapshot holds, too; the rest is known from the next event on. */
const lasting = (board: Board) => ({
  ...board,
  seq: 0,
  snapshotSeq: 0,
  notice: null,
  gates: null,
  spentUsd: board.spentUsd.toFixed(6),
  ended: null,
  stories: board.stories.map((each) => ({
    ...each,
    state: isWorkedOn(each) ? 'running' : each.state,
    costUsd: each.costUsd.toFixed(6),
    failures: [],
    blockedBy: [],
    workspace: null,
    step: null,
    activity: null,
    outputLine: null,
    redGate: null,
  })),
});

describe('joining late', () => {
  const whole = upTo(events.length);
  const cut = integer({ min: 0, max: events.length });

  it('gives the same as reading all, from any snapshot and the events after it', () => {
    assert(
      property(cut, (head) => {
        const joined = fold(emptyBoard(snapshotAt(head)), events.slice(head));
        expect(lasting(joined)).toEqual(lasting(whole));
      }),
    );
  });

  it('gives the very same, steps and notes included, after reading up to the snapshot again', () => {
    assert(
      property(cut, cut, (head, later) => {
        const joined = catchUp(emptyBoard(snapshotAt(head)), events.slice(0, head));
        const to = Math.max(head, later);
        const { snapshotSeq: _, spentUsd, ...there } = fold(joined, events.slice(head, to));
        const { snapshotSeq: __, spentUsd: wanted, ...straight } = upTo(to);
        expect(spentUsd).toBeCloseTo(wanted);
        const rounded = (board: typeof there) => ({
          ...board,
          stories: board.stories.map((each) => ({ ...each, costUsd: each.costUsd.toFixed(6) })),
        });
        expect(rounded(there)).toEqual(rounded(straight));
      }),
    );
  });

  it('counts nothing twice when events come again', () => {
    assert(
      property(cut, cut, (from, to) => {
        const board = upTo(to);
        expect(fold(board, events.slice(Math.min(from, to), to))).toBe(board);
      }),
    );
  });

  it('leaves out what earlier executions did', () => {
    const second = { ...snapshotAt(events.length), execution: 2, status: 'running' as const, endedAt: null };
    second.stories = second.stories.map((each) => ({ ...each, status: 'open' as const }));
    const board = catchUp(emptyBoard(second), events);
    expect(board.stories.every((each) => each.state === 'open')).toBe(true);
    expect(catchUp(emptyBoard(second), events.slice(20)).stories.every((each) => each.state === 'open')).toBe(true);
  });
});
