import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  formatClock,
  formatCost,
  formatDuration,
  formatElapsed,
  formatSpent,
  formatTokens,
  formatUsd,
} from '../../cli/output/format.ts';
import { failuresNote } from '../../cli/output/failures-note.ts';
import { asciiSigns, inSigns } from '../../cli/output/signs.ts';
import { listTable, markdownTable } from '../../cli/output/table.ts';
import { lookOf } from '../../cli/output/terminal.ts';
import { cleanLine, cleanOutputLine, displayWidth, truncate, wrap } from '../../cli/output/text.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [950, '950'],
    [18_432, '18.4k'],
    [99_949, '99.9k'],
    [99_951, '100k'],
    [148_200, '148k'],
    [1_240_000, '1.2M'],
  ])('%d tokens are %s', (tokens, text) => expect(formatTokens(tokens)).toBe(text));

  it.each([
    [8, '8ms'],
    [400, '0.4s'],
    [9_940, '9.9s'],
    [9_960, '10s'],
    [48_200, '48s'],
    [192_000, '3m 12s'],
    [3_840_000, '1h 04m'],
    [183_600_000, '2d 3h'],
  ])('%d ms are %s', (durationMs, text) => expect(formatDuration(durationMs)).toBe(text));

  it('a running clock counts whole seconds', () => expect(formatElapsed(8_990)).toBe('8s'));

  it('a clock that went backwards shows no negative time', () => expect(formatElapsed(-5_000)).toBe('0s'));

  it.each([
    [0.21, '$0.21'],
    [12, '$12.00'],
    [0.004, '<$0.01'],
    [0, '$0.00'],
  ])('%d dollars are %s', (usd, text) => expect(formatUsd(usd)).toBe(text));

  it('tokens without a price have an unknown cost', () => {
    expect(formatCost({ usd: 0, tokens: 900 })).toBe('–');
    expect(formatCost({ usd: 0, tokens: 0 })).toBe('$0.00');
  });

  it('what is spent stands beside its cap', () => {
    expect(formatSpent({ tokens: 61_300, usd: 0.48, maxTokens: null, maxCostUsd: 5 })).toBe(
      '61.3k tokens, $0.48 of $5.00',
    );
    expect(formatSpent({ tokens: 950, usd: 0, maxTokens: 400_000, maxCostUsd: null })).toBe(
      '950 of 400k tokens, cost –',
    );
  });
});

describe('the time of an event', () => {
  const before = process.env['TZ'];
  beforeAll(() => {
    process.env['TZ'] = 'Asia/Kolkata';
  });
  afterAll(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });

  it('is local', () => expect(formatClock('2026-03-01T12:04:31.000Z')).toBe('17:34:31'));
});

describe('foreign text', () => {
  it('cannot move the cursor, colour the terminal or break the line', () => {
    expect(cleanLine('a\u001B[2J\u001B[31mred\u001B[0m\r\nb\tc\u0007')).toBe('ared b c');
    expect(cleanLine('\u001B]0;title\u0007x\u009B31my')).toBe('xy');
    expect(cleanOutputLine('\tat x\u001B[1A\u0000 ')).toBe('    at x');
  });

  it('cannot turn the direction of what follows', () => expect(cleanLine('safe\u202Egpj.exe')).toBe('safegpj.exe'));

  it('is as wide as a terminal shows it', () => {
    expect(['abc', '期限', 'é', 'e\u0301', '👩‍👩‍👧', '✓●◌⏸⚠', ''].map(displayWidth)).toEqual([3, 4, 1, 1, 2, 5, 0]);
  });

  it('is cut between whole characters', () => {
    expect(truncate('期限を保存する', 9, '…')).toBe('期限を保…');
    expect(truncate('Store due dates', 9, '...')).toBe('Store...');
    expect(truncate('abc', 3, '…')).toBe('abc');
    expect(truncate('abcdef', 2, '...')).toBe('..');
  });

  it('is broken between words, the rest cut', () => {
    expect(wrap('one two three four five', 10, 2, '…')).toEqual(['one two', '  three f…']);
  });
});

describe('notes', () => {
  it('count what went wrong by its name', () => {
    expect(
      failuresNote([
        { reason: 'gate-failed', gate: 'test' },
        { reason: 'gate-failed', gate: 'test' },
        { reason: 'conflict', gate: null },
        { reason: 'merged-gate-failed', gate: 'lint' },
        { reason: 'verification-failed', gate: 'verification' },
      ]),
    ).toBe('gate test failed twice, conflicted once, gate lint failed after the merge once, verification failed once');
  });
});

describe('looks', () => {
  const terminal = { isTTY: true, columns: 100 };

  it('are plain ASCII where the locale is not UTF-8', () => {
    expect(lookOf(terminal, { LANG: 'C' }).signs.passed).toBe('+');
    expect(lookOf(terminal, { LANG: 'C', LC_ALL: 'C.UTF-8' }).signs.passed).toBe('✓');
    expect(inSigns('✓ 3 of 7 · thinking… – Größe', asciiSigns)).toBe('+ 3 of 7 | thinking... - Größe');
  });

  it('have no colour off a terminal, with NO_COLOR, on a dumb terminal', () => {
    expect(lookOf(terminal, {}).color).toBe(true);
    expect(lookOf({}, {}).color).toBe(false);
    expect(lookOf(terminal, { NO_COLOR: '1' }).color).toBe(false);
    expect(lookOf(terminal, { NO_COLOR: '' }).color).toBe(true);
    expect(lookOf(terminal, { TERM: 'dumb' }).color).toBe(false);
  });
});

describe('tables', () => {
  const columns = [
    { title: 'run', cells: ['ralph:a:b', 'ralph:a:期限'] },
    { title: 'passed', cells: ['3/7', 'a\tb|c'] },
  ];
  const look = { signs: asciiSigns, color: false, columns: 24 };

  it('are aligned on a terminal and tab-separated off it', () => {
    expect(listTable(columns, look, true)).toEqual([
      'RUN           PASSED',
      'ralph:a:b     3/7',
      'ralph:a:期限  a b|c',
    ]);
    expect(listTable(columns, look, false)).toEqual(['ralph:a:b\t3/7', 'ralph:a:期限\ta b|c']);
  });

  it('are Markdown with bars escaped', () => {
    expect(markdownTable(columns)).toEqual([
      '| run          | passed |',
      '|--------------|--------|',
      '| ralph:a:b    | 3/7    |',
      String.raw`| ralph:a:期限 | a b\|c |`,
    ]);
  });
});
