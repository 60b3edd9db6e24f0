import { renderToString } from 'ink';
import { render } from 'ink-testing-library';
import { describe, expect, it } from 'vitest';
import { asciiSigns, unicodeSigns } from '../../cli/output/signs.ts';
import { displayWidth } from '../../cli/output/text.ts';
import { boardLines } from '../../cli/tui/board-lines.ts';
import type { BoardView } from '../../cli/tui/board-lines.ts';
import { BoardFrame } from '../../cli/tui/board.tsx';
import type { BoardKey } from '../../cli/tui/board.tsx';
import { emptyBoard, reduceBoard } from '../../domain/run/board.ts';
import type { Board } from '../../domain/run/board.ts';
import { events, firstRun, storyView } from './board-fixture.ts';

process.env['TZ'] = 'UTC';

const upTo = (count: number) => events.slice(0, count).reduce(reduceBoard, emptyBoard(firstRun));
const view = (columns: number, change: Partial<BoardView> = {}): BoardView => ({
  look: { signs: unicodeSigns, color: false, columns },
  rows: 24,
  nowMs: Date.parse('2026-03-01T12:05:13.000Z'),
  connection: null,
  keys: true,
  ...change,
});
const nothing = () => undefined;
const frame = (board: Board, shown: BoardView) =>
  renderToString(<BoardFrame lines={boardLines(board, shown)} listen={false} agents={[]} onKey={nothing} />, {
    columns: shown.look.columns,
  }).split('\n');

/** 500 stories, of which some have passed, one has failed and three are worked on. */
const large = () => {
  const stories = Array.from({ length: 500 }, (_, index) => ({
    ...storyView(`US-${String(index + 1).padStart(3, '0')}`, `Story ${index + 1}`, index < 20 ? [] : ['US-001']),
    status:
      index < 12
        ? ('passed' as const)
        : index === 12
          ? ('failed' as const)
          : index < 16
            ? ('running' as const)
            : ('open' as const),
    attempts: index < 16 ? 1 : 0,
  }));
  return emptyBoard({ ...firstRun, status: 'running', stories });
};

describe('the board on a terminal', () => {
  it('fits 60 columns', () => {
    expect(frame(upTo(24), view(60))).toEqual([
      'ralph  todo-cli · add due dates          1 of 5 passed   41s',
      '  ✓ US-001  Store due dates       48s     9.0k   a1b2c3d',
      '  ◌ US-002  Parse "tomorrow", "…  tries again  gate test: 1…',
      '  ● US-003  Overdue in red        step 1 bash npm test',
      '  ◌ US-004  Export to iCal        waits for US-002',
      '  ◌ US-005  Sync                  waits for US-003',
      'spent 13.5k tokens, $0.06 of $5.00 · 1 agent · codetether ui',
      'p pause · n nudge · s stop · ctrl-c leave it running',
    ]);
  });

  it('says more where there is room', () => {
    expect(frame(upTo(37), view(200))).toEqual([
      'ralph  todo-cli · add due dates                                        feature/due-dates   2 of 5 passed   41s',
      '  ✓ US-001  Store due dates          1 attempt  48s     9.0k tokens   a1b2c3d',
      '  ✓ US-002  Parse "tomorrow", "fri"  2 attempts 1m 19s  9.0k tokens   9f8e7d6  gate test failed once',
      '  ● US-003  Overdue in red           attempt 1  step 1  bash was interrupted',
      '  ● US-004  Export to iCal           attempt 1  preparing its workspace',
      '  ◌ US-005  Sync                     waits for US-003',
      '⚠ 12:04:59 the worker was lost and is back; 1 step goes on',
      'spent 18.0k tokens, $0.08 of $5.00 · 2 agents · gates: lint, test · engine ui http://127.0.0.1:8233/namespaces/default/workflows/ralph%3Atodo-cli-1f2e3d%3Adue-dates',
      'p pause · n nudge · s stop after this step · ctrl-c leave it running',
    ]);
  });

  it('is ASCII where the terminal can show no more', () => {
    const lines = frame(upTo(24), view(60, { look: { signs: asciiSigns, color: false, columns: 60 } }));
    expect(lines.join('')).toMatch(/^[ -~]*$/);
    expect(lines.slice(1, 4)).toEqual([
      '  + US-001  Store due dates       48s     9.0k   a1b2c3d',
      '  . US-002  Parse "tomorrow",...  tries again  gate test:...',
      '  * US-003  Overdue in red        step 1 bash npm test',
    ]);
  });

  it('shows the running stories first and counts the rest when there are more than rows', () => {
    const lines = frame(large(), view(80, { rows: 16 }));
    expect(lines).toHaveLength(15);
    expect(lines.slice(1, 6).map((line) => line.slice(0, 10))).toEqual([
      '  ● US-014',
      '  ● US-015',
      '  ● US-016',
      '  ✗ US-013',
      '  ◌ US-017',
    ]);
    expect(lines[12]).toBe('  … 489 more: 12 passed, 477 waiting');
  });

  it('stays below the height and within the width of any terminal', () => {
    for (const columns of [20, 40, 60, 79, 80, 100, 140, 200]) {
      for (const rows of [8, 10, 24, 50]) {
        for (const board of [upTo(0), upTo(24), upTo(events.length), large()]) {
          const lines = boardLines(
            board,
            view(columns, { rows, connection: 'connection lost 12:31:07, trying again' }),
          );
          expect(lines.length).toBeLessThan(Math.max(rows, 10));
          // The narrowest terminal that experience.md promises is 60 columns wide; below it ink cuts.
          if (columns >= 60) expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  it('has colour only where there is a sign or a quiet word', () => {
    const lines = boardLines(upTo(24), view(60, { look: { signs: unicodeSigns, color: true, columns: 60 } }));
    expect(lines[1]).toBe('  \u001B[32m✓\u001B[39m US-001  Store due dates       48s     9.0k   a1b2c3d');
    expect(lines[3]).toBe('  \u001B[36m●\u001B[39m US-003  Overdue in red        step 1 bash npm test');
  });

  it('tells for a minute that the worker was lost', () => {
    const shown = (at: string) =>
      frame(upTo(37), view(80, { nowMs: Date.parse(at) }))
        .join('\n')
        .includes('the worker was lost');
    expect([shown('2026-03-01T12:05:58.000Z'), shown('2026-03-01T12:06:00.000Z')]).toEqual([true, false]);
  });

  it('says how a paused, a stopping and an ended run stands', () => {
    expect(frame(upTo(26), view(80)).slice(-4)).toEqual([
      '  ◌ US-005  Sync                     waits for US-003',
      '⏸ paused: steps under way finish, nothing new starts',
      'spent 13.5k tokens, $0.06 of $5.00 · 2 agents · gates: lint, test',
      'p resume · n nudge · s stop after this step · ctrl-c leave it running',
    ]);
    const ended = frame(upTo(events.length), view(80));
    expect(ended[0]).toBe('ralph  todo-cli · add due dates             quality-failed   2 of 5 passed   41s');
    expect(ended.at(-1)).toBe('spent 18.0k tokens, $0.08 of $5.00 · gates: lint, test · codetether ui');
  });

  it('keeps wide characters in their columns', () => {
    const board = emptyBoard({
      ...firstRun,
      stories: [storyView('US-001', '期限を保存する', []), storyView('US-002', 'Größe', [])],
    });
    expect(frame(board, view(60)).slice(1, 3)).toEqual([
      '  ◌ US-001  期限を保存する  ready',
      '  ◌ US-002  Größe           ready',
    ]);
  });

  it('shows nothing of what a model writes to the terminal', () => {
    const board = upTo(24);
    const stories = board.stories.map((story) => ({
      ...story,
      title: 'a\u001B[2Jb',
      activity: '\u001B]0;x\u0007bash',
    }));
    expect(boardLines({ ...board, stories }, view(100)).join('')).not.toMatch(/\p{Cc}/u);
  });
});

describe('the keys', () => {
  it('are p, s and ctrl-c', async () => {
    const pressed: BoardKey[] = [];
    const screen = render(<BoardFrame lines={['a']} listen agents={[]} onKey={(key) => pressed.push(key)} />);
    for (const input of ['p', 's', 'x', '\u0003']) {
      screen.stdin.write(input);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    screen.unmount();
    expect(pressed).toEqual(['pause', 'stop', 'leave']);
  });

  it('take a message to the agent of a story after n, while p and s are only letters', async () => {
    const pressed: BoardKey[] = [];
    const press = async (...inputs: readonly string[]) => {
      for (const input of inputs) {
        screen.stdin.write(input);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const frameOf = (agents: readonly string[]) => (
      <BoardFrame lines={['a', 'p pause']} listen agents={agents} onKey={(key) => pressed.push(key)} />
    );
    const screen = render(frameOf([]));
    await press('n', 's');
    expect(pressed.splice(0)).toEqual(['stop']);
    screen.rerender(frameOf(['US-001', 'US-003']));
    await press('n', '\t', 's', 'tops', ' ', 'x', '\u007F', 'p');
    expect(screen.lastFrame()).toBe('a\ntell US-003 (enter send, esc leave it, tab another story): stops p_');
    await press('\r');
    expect(pressed.splice(0)).toEqual([{ storyId: 'US-003', nudge: 'stops p' }]);
    await press('n', 'q', '\u0003', 'n', '\r', 'p');
    expect(pressed.splice(0)).toEqual(['pause']);
    screen.unmount();
  });
});
