import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finalJson, finalLines, exitCodeOf, shellWord } from '../../cli/output/final.ts';
import { plainLine } from '../../cli/output/plain.ts';
import { asciiSigns, unicodeSigns } from '../../cli/output/signs.ts';
import { statusLines } from '../../cli/output/status.ts';
import { snakeKeys, streamJsonLine } from '../../cli/output/stream-json.ts';
import { emptyBoard, reduceBoard } from '../../domain/run/board.ts';
import { runOutcomes } from '../../domain/run/status.ts';
import type { CheckVerdict, RunEvent } from '../../domain/run/events.ts';
import { events, firstRun } from './board-fixture.ts';

const look = { signs: unicodeSigns, color: false, columns: 100 };
const before = process.env['TZ'];
beforeAll(() => {
  process.env['TZ'] = 'UTC';
});
afterAll(() => {
  if (before === undefined) delete process.env['TZ'];
  else process.env['TZ'] = before;
});

const whole = () => events.reduce(reduceBoard, emptyBoard(firstRun));
const plain = (verbose: boolean) => events.flatMap((event) => plainLine(firstRun.runId, event, { verbose }) ?? []);

describe('plain lines', () => {
  it('tell each event with its time', () => {
    expect(plain(false)).toEqual([
      '12:04:32 run ralph:todo-cli-1f2e3d:due-dates started, 5 stories, branch feature/due-dates, base 4d5e6f7, gates lint, test, model scripted/script.yaml',
      '12:04:33 baseline: gate lint is green, 0.7s',
      '12:04:34 baseline: gate test is green, 0.9s',
      '12:04:35 US-001 attempt 1 started: Store due dates',
      '12:04:38 US-001 step 1: write src/due.js',
      '12:04:42 US-001 gate lint is green, 0.8s',
      '12:04:43 US-001 gate test is green, 0.8s',
      '12:04:44 US-001 gate lint is green on the merged tree, 0.8s',
      '12:04:45 US-001 gate test is green on the merged tree, 0.8s',
      '12:04:46 US-001 passed, attempt 1, 48s, 9.0k tokens, commit a1b2c3d',
      '12:04:47 US-002 attempt 1 started: Parse "tomorrow", "fri"',
      '12:04:48 US-003 attempt 1 started: Overdue in red',
      '12:04:51 US-002 gate lint is green, 0.8s',
      '12:04:52 US-002 gate test is red, 0.8s: 1 of 14 tests (parse.test.js)',
      '12:04:53 US-002 attempt 1 failed: gate test: 1 of 14 tests (parse.test.js); trying again with that',
      '12:04:54 US-003 step 1: bash npm test',
      '12:04:56 US-002 attempt 2 started: Parse "tomorrow", "fri"',
      '12:04:57 run paused: steps under way finish, nothing new starts',
      '12:04:58 run goes on',
      '12:04:59 the worker was lost and is back; 1 step goes on',
      '12:05:00 US-003 step 1: bash was interrupted, the model was told',
      '12:05:03 US-002 gate lint is green, 0.8s',
      '12:05:04 US-002 gate test is green, 0.8s',
      '12:05:05 US-002 gate lint is green on the merged tree, 0.8s',
      '12:05:06 US-002 gate test is green on the merged tree, 0.8s',
      '12:05:07 US-002 passed, attempt 2, 48s, 9.0k tokens, commit 9f8e7d6',
      '12:05:08 US-004 attempt 1 started: Export to iCal',
      '12:05:09 US-003 attempt 1 failed: not finished after 50 steps',
      '12:05:10 US-003 failed after 1 attempt: not finished after 50 steps; kept in /home/ada/todo-cli/.codetether-worktrees/us-003',
      '12:05:12 US-005 blocked by US-003',
      '12:05:13 run ended: quality-failed, 2 of 5 stories passed in 9m 04s: 3 of 5 stories did not pass',
    ]);
  });

  it('tell thinking, answers and tools only when asked to', () => {
    expect(plain(true)).toContain('12:04:36 US-001 step 1: thinking…');
    expect(plain(true)).toContain('12:04:37 US-001 step 1: answered in 0.9s, 4.5k tokens, cost $0.02, asks for write');
    expect(plain(true)).toContain('12:04:39 US-001 step 1: write src/due.js done, 8ms');
  });

  it('say under which caps a run goes on', () => {
    const frame = { seq: 99, at: '2026-03-01T12:04:32.000Z', storyId: null, attempt: null } as const;
    const line = (body: { maxCostUsd: number | null; maxTokens: number | null; maxTimeMs: number | null }) =>
      plainLine(
        firstRun.runId,
        { ...frame, kind: 'caps-changed', body: { maxTotalSteps: null, ...body } },
        { verbose: false },
      );
    expect(line({ maxCostUsd: 5, maxTokens: 400_000, maxTimeMs: 5_400_000 })).toBe(
      '12:04:32 run goes on under caps of $5.00, 400k tokens, 1h 30m',
    );
    expect(line({ maxCostUsd: null, maxTokens: null, maxTimeMs: null })).toBe('12:04:32 run goes on under no cap');
  });

  it('say that a run goes on', () => {
    const started = events[0];
    if (started?.kind !== 'run-started') throw new Error('the fixture begins with another event');
    const again: RunEvent = { ...started, body: { ...started.body, execution: 2, passed: 3, gates: [] } };
    expect(plainLine(firstRun.runId, again, { verbose: false })).toBe(
      '12:04:32 run ralph:todo-cli-1f2e3d:due-dates goes on (execution 2), 3 of 5 stories passed, branch feature/due-dates, base 4d5e6f7, no gates, model scripted/script.yaml',
    );
  });

  it('never call a gate green that was not', () => {
    const gate = (verdict: CheckVerdict, where: 'workspace' | 'merged') =>
      plainLine(
        firstRun.runId,
        {
          seq: 1,
          at: '2026-03-01T12:04:31.000Z',
          storyId: 'US-001',
          attempt: 1,
          kind: 'gate-ended',
          body: { gate: 'test', where, ok: false, verdict, exitCode: 1, durationMs: 800, summary: 'why' },
        },
        { verbose: false },
      )?.slice(9);
    expect(gate('flaky', 'workspace')).toBe('US-001 gate test is flaky, 0.8s: why');
    expect(gate('red-as-before', 'merged')).toBe('US-001 gate test is red as before on the merged tree, 0.8s: why');
  });

  it('keep what a model wrote on one harmless line', () => {
    const evil = { ...events[22], body: { step: 1, label: 'bash printf "\u001B[2J"\nrm' } } as RunEvent;
    expect(plainLine(firstRun.runId, evil, { verbose: false })).toBe('12:04:54 US-003 step 1: bash printf "" rm');
  });
});

describe('NDJSON', () => {
  it('wraps every event in the same envelope, all keys in snake_case', () => {
    const passed = events[14];
    if (passed === undefined) throw new Error('the fixture is too short');
    expect(streamJsonLine(firstRun.runId, passed)).toBe(
      '{"schema_version":1,"run_id":"ralph:todo-cli-1f2e3d:due-dates","seq":15,"at":"2026-03-01T12:04:46.000Z","kind":"story-passed","story_id":"US-001","attempt":1,' +
        '"body":{"commit":"a1b2c3d4e5f60718293a4b5c6d7e8f9012345678","attempts":1,"duration_ms":48000,"tokens":9000,"cost_usd":0.04,"files_changed":2}}',
    );
  });

  it('has nothing left out and no line feed inside', () => {
    const lines = events.map((event) => streamJsonLine(firstRun.runId, event));
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(events.map((event) => event.seq));
    expect(lines.some((line) => line.includes('\n'))).toBe(false);
  });

  it('renames keys, not values', () => {
    expect(snakeKeys({ storyId: 'aB', list: [{ maxCostUsd: null }], at: 1 })).toEqual({
      story_id: 'aB',
      list: [{ max_cost_usd: null }],
      at: 1,
    });
  });
});

describe('the end', () => {
  it('says what passed, what did not and why, what is kept, and the next command', () => {
    expect(finalLines(whole(), { look, prdPath: 'prd.json', handle: 'due-dates' })).toEqual([
      '⚠ 2 of 5 stories passed in 9m 04s · 18.0k tokens · $0.08',
      '✗ US-003 Overdue in red: failed after 1 attempt',
      '    not finished after 50 steps',
      '    worktree  /home/ada/todo-cli/.codetether-worktrees/us-003',
      '    evidence  codetether ralph logs due-dates US-003',
      '    try again codetether ralph retry US-003 due-dates --hint "…"',
      '◌ US-004 Export to iCal: not finished after 1 attempt',
      '◌ US-005 Sync: blocked by US-003',
      'branch feature/due-dates 9f8e7d6, 2 commits, gates green on its tip',
      'ui     http://127.0.0.1:8233/namespaces/default/workflows/ralph%3Atodo-cli-1f2e3d%3Adue-dates',
      'next   git merge feature/due-dates',
      '  or   codetether ralph run --prd prd.json     goes on with what has not passed',
    ]);
  });

  it('is short when all is well', () => {
    const board = { ...whole(), uiUrl: null, status: 'completed' as const };
    const stories = board.stories.map((story) => ({ ...story, state: 'passed' as const }));
    expect(
      finalLines(
        { ...board, stories },
        { look: { ...look, signs: asciiSigns }, prdPath: 'prd.json', handle: 'due-dates' },
      ),
    ).toEqual([
      '+ 5 of 5 stories passed in 9m 04s | 18.0k tokens | $0.08',
      'branch feature/due-dates 9f8e7d6, 2 commits, gates green on its tip',
      'next   git merge feature/due-dates',
    ]);
  });

  it('names the flag that is needed to come further', () => {
    const board = {
      ...whole(),
      uiUrl: null,
      status: 'budget-exceeded' as const,
      message: 'the next model call does not fit under the cap (max-tokens)',
    };
    const lines = finalLines(board, { look, prdPath: 'my plans/prd.json', handle: 'due-dates' });
    expect(lines[0]).toBe(
      '⚠ budget-exceeded: 2 of 5 stories passed in 9m 04s · 18.0k tokens · $0.08\n  the next model call does not fit under the cap (max-tokens)',
    );
    expect(lines.at(-1)).toBe(
      '  or   codetether ralph resume due-dates --max-tokens <more>     goes on with what has not passed',
    );
  });

  it('counts stories beyond the first ten of a kind', () => {
    const board = whole();
    const failed = board.stories[2];
    if (failed === undefined) throw new Error('the fixture is too short');
    const stories = Array.from({ length: 40 }, (_, index) => ({ ...failed, storyId: `US-${index}` }));
    const lines = finalLines({ ...board, stories }, { look, prdPath: 'prd.json', handle: 'due-dates' });
    expect(lines.filter((line) => line.startsWith('✗'))).toHaveLength(10);
    expect(lines).toContain('… 30 more like these: codetether ralph status due-dates');
  });

  it('has one exit status for each outcome', () => {
    expect(Object.fromEntries(runOutcomes.map((outcome) => [outcome, exitCodeOf(outcome)]))).toEqual({
      completed: 0,
      'quality-failed': 3,
      'max-iterations': 4,
      'budget-exceeded': 5,
      stopped: 1,
      cancelled: 1,
      error: 1,
    });
  });

  it('names gates that were neither green nor stopped a story, and then does not call the tip green', () => {
    const board = { ...whole(), flakyGates: ['test'], redGates: ['lint'] };
    const lines = finalLines(board, { look, prdPath: 'prd.json', handle: 'due-dates' });
    expect(lines).toContain('flaky  test (red, then green on the same files: neither pass nor fail)');
    expect(lines).toContain('red    lint (as before the run, no worse)');
    expect(lines.join('\n')).not.toContain('gates green');
  });

  it('is one JSON object for a program', () => {
    const json = finalJson(whole());
    expect(Object.keys(json)).toEqual([
      'schema_version',
      'run_id',
      'outcome',
      'message',
      'passed',
      'total',
      'branch',
      'base',
      'tip',
      'commits',
      'tokens',
      'cost_usd',
      'duration_ms',
      'ui_url',
      'flaky_gates',
      'red_gates',
      'stories',
    ]);
    expect(json).toMatchObject({ outcome: 'quality-failed', passed: 2, total: 5, commits: 2, cost_usd: 0.08 });
    expect((json['stories'] as unknown[])[2]).toEqual({
      story_id: 'US-003',
      title: 'Overdue in red',
      status: 'failed',
      attempts: 1,
      commit: null,
      problem: 'not finished after 50 steps',
      blocked_by: [],
      workspace: '/home/ada/todo-cli/.codetether-worktrees/us-003',
      tokens: 0,
      cost_usd: 0,
      duration_ms: 62_000,
    });
  });

  it('quotes for the shell what has to be', () => {
    expect([shellWord('a/b.json'), shellWord("it's mine.json"), shellWord('größe.json')]).toEqual([
      'a/b.json',
      String.raw`'it'\''s mine.json'`,
      "'größe.json'",
    ]);
  });
});

describe('the status', () => {
  it('is Markdown', () => {
    const board = events.slice(0, 24).reduce(reduceBoard, emptyBoard(firstRun));
    expect(statusLines(board, { look, nowMs: Date.parse('2026-03-01T12:07:13.000Z') })).toEqual([
      '# todo-cli · add due dates',
      '',
      '- run ralph:todo-cli-1f2e3d:due-dates, execution 1',
      '- running: 1 of 5 passed, 2m 41s, 13.5k tokens, $0.06 of $5.00',
      '- branch feature/due-dates a1b2c3d, model scripted/script.yaml',
      '- engine ui http://127.0.0.1:8233/namespaces/default/workflows/ralph%3Atodo-cli-1f2e3d%3Adue-dates',
      '',
      '|   | story  | title                   | attempts | time | tokens | state                                                 |',
      '|---|--------|-------------------------|----------|------|--------|-------------------------------------------------------|',
      '| ✓ | US-001 | Store due dates         | 1        | 48s  | 9.0k   | passed a1b2c3d                                        |',
      '| ◌ | US-002 | Parse "tomorrow", "fri" | 1        | 31s  | 4.5k   | tries again: gate test: 1 of 14 tests (parse.test.js) |',
      '| ● | US-003 | Overdue in red          | 1        | –    | –      | worked on                                             |',
      '| ◌ | US-004 | Export to iCal          | –        | –    | –      | waits for US-002                                      |',
      '| ◌ | US-005 | Sync                    | –        | –    | –      | waits for US-003                                      |',
    ]);
  });
});
