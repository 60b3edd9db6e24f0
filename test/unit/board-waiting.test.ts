import { expect, it } from 'vitest';
import { plainLine } from '../../cli/output/plain.ts';
import { unicodeSigns } from '../../cli/output/signs.ts';
import { statusLines } from '../../cli/output/status.ts';
import { boardLines } from '../../cli/tui/board-lines.ts';
import { emptyBoard, reduceBoard, waitsForPerson } from '../../domain/run/board.ts';
import type { Board } from '../../domain/run/board.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { events, firstRun } from './board-fixture.ts';

const look = { signs: unicodeSigns, color: false, columns: 120 };
const start = events.slice(0, 5).reduce(reduceBoard, emptyBoard(firstRun));
const nowMs = Date.parse('2026-03-01T12:05:00.000Z');

function waiting(change: object = {}, seq = 6): RunEvent {
  const body = {
    step: 1,
    provider: 'openai',
    reason: 'rate-limit',
    message: 'openai limits the rate (429): Slow down.',
    until: new Date(nowMs + 42_000).toISOString(),
    refusals: 1,
    mayHaveCost: false,
    nextModel: null,
    ...change,
  };
  return {
    seq,
    at: new Date(nowMs).toISOString(),
    storyId: 'US-001',
    attempt: 1,
    kind: 'model-waiting',
    body,
  } as RunEvent;
}

const shown = (board: Board, at = nowMs) =>
  boardLines(board, { look, rows: 40, nowMs: at, connection: null, keys: false }).find((line) =>
    line.includes('US-001'),
  );

it('a wait for a provider counts down, then says that it asks again, and is gone with the answer', () => {
  const board = reduceBoard(start, waiting());
  expect(shown(board)).toContain('waits for openai (rate limit), 42 s left, nothing is spent');
  expect(shown(board, nowMs + 2_000)).toContain('40 s left');
  expect(shown(board, nowMs + 43_000)).toContain('asks openai again, try 2');
  expect(shown(reduceBoard(start, waiting({ until: new Date(nowMs + 3_600_000).toISOString() })))).toContain(
    '60 min left',
  );
  expect(shown(reduceBoard(start, waiting({ mayHaveCost: true })))).not.toContain('nothing is spent');
  expect(shown(reduceBoard(start, waiting({ nextModel: 'google/x' })))).toContain('asks google/x in place of openai');
  const answered = reduceBoard(board, { ...events[5], seq: 7 } as RunEvent);
  expect(shown(answered)).not.toContain('openai');
  expect(statusLines(board, { look, nowMs }).join('\n')).toContain('waits for openai (rate limit), 42 s left');
});

it('plain lines say until when, and who is asked instead', () => {
  const line = (event: RunEvent) => plainLine(firstRun.runId, event, { verbose: false });
  expect(line(waiting())).toMatch(
    /US-001 step 1: openai limits the rate \(429\): Slow down\.; asks again at \d\d:\d\d:42 \(nothing is spent\)$/,
  );
  expect(line(waiting({ nextModel: 'google/x' }))).toMatch(/; asks google\/x instead$/);
});

const asked = {
  seq: 6,
  at: new Date(nowMs).toISOString(),
  storyId: 'US-001',
  attempt: null,
  kind: 'approval-requested',
  body: {
    id: 'q-k3f9x2ab',
    kind: 'tool-risk',
    question: 'bash git push (it pushes to a remote)',
    choices: ['approve', 'deny'],
    defaultChoice: 'deny',
    expiresAt: '2026-03-02T12:05:00.000Z',
  },
} as RunEvent;
const answered = {
  ...asked,
  seq: 7,
  kind: 'approval-answered',
  body: { id: 'q-k3f9x2ab', state: 'answered', choice: 'approve', by: 'ada', note: '' },
} as RunEvent;

it('a question stands on the board, in the status and in the lines with what answers it, until it is answered', () => {
  const board = reduceBoard({ ...start, snapshotSeq: 5 }, asked);
  const text = (of: Board) => boardLines(of, { look, rows: 40, nowMs, connection: null, keys: false }).join('\n');
  expect(text(board)).toContain('? US-001 bash git push (it pushes to a remote): codetether approve q-k3f9x2ab');
  expect(statusLines(board, { look, nowMs }).join('\n')).toContain('**US-001 waits for an answer** since');
  expect(plainLine(firstRun.runId, asked, { verbose: false })).toContain(
    'codetether deny q-k3f9x2ab; without one deny at',
  );
  expect(plainLine(firstRun.runId, answered, { verbose: false })).toMatch(/US-001 q-k3f9x2ab: approve \(ada\)$/);
  expect(text(reduceBoard(board, answered))).not.toContain('q-k3f9x2ab');
});

it('what the snapshot knows to be answered is not asked again by older events', () => {
  const snapshot = emptyBoard({ ...firstRun, headSeq: 10 });
  expect([asked, answered].reduce(reduceBoard, snapshot).approvals).toEqual([]);
  expect(reduceBoard(snapshot, asked).approvals).toEqual([]);
});

it('a run waits for a person when every story that is worked on does, or the run as a whole', () => {
  const worked = (ids: readonly string[], approvals: readonly string[]): Board => ({
    ...start,
    status: 'running',
    stories: start.stories.map((story) => ({ ...story, state: ids.includes(story.storyId) ? 'running' : 'open' })),
    approvals: approvals.map((storyId) => ({
      id: 'q',
      storyId,
      kind: 'tool-risk',
      question: '',
      choices: [],
      defaultChoice: '',
      since: '',
      until: '',
    })),
  });
  const waits = (ids: readonly string[], approvals: readonly string[]) => waitsForPerson(worked(ids, approvals));
  expect(waits(['US-001', 'US-002'], ['US-001'])).toBe(false);
  expect(waits(['US-001', 'US-002'], ['US-001', 'US-002'])).toBe(true);
  expect(waits(['US-001'], [''])).toBe(true);
  expect(waits([], [])).toBe(false);
  expect(waitsForPerson({ ...worked(['US-001'], ['US-001']), status: 'stopped' })).toBe(false);
});
