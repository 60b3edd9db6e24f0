import { expect, test } from 'vitest';
import { turnFactLines } from '../../cli/output/turn-facts.ts';
import { asciiSigns, unicodeSigns } from '../../cli/output/signs.ts';
import { changesOf, toTurnFacts } from '../../domain/session/turn-facts.ts';
import type { FileChange, ToolDeeds } from '../../domain/session/turn-facts.ts';

const look = { signs: unicodeSigns, color: false, columns: 80 };
const files = (...changes: readonly FileChange['change'][]): ToolDeeds => ({
  files: changes.map((change) => ({ path: 'a.ts', change })),
  commands: [],
});
const ran = (...commands: readonly (readonly [string, number | null])[]): ToolDeeds => ({
  files: [],
  commands: commands.map(([command, exitCode]) => ({ command, exitCode })),
});

test.each<readonly [readonly FileChange['change'][], FileChange['change'] | undefined]>([
  [['added'], 'added'],
  [['added', 'changed'], 'added'],
  [['added', 'deleted'], undefined],
  [['changed', 'changed'], 'changed'],
  [['changed', 'deleted'], 'deleted'],
  [['deleted', 'added'], 'changed'],
  [['added', 'deleted', 'added'], 'added'],
])('a file that was %s, in this order, is told as %s', (changes, change) => {
  const expected = change === undefined ? [] : [{ path: 'a.ts', change }];
  expect(changesOf([files(...changes)])).toEqual(expected);
  expect(changesOf(changes.map((one) => files(one)))).toEqual(expected);
});

test('a turn that did nothing has no facts', () => {
  expect(toTurnFacts([], [files()])).toEqual({});
  expect(turnFactLines({}, look)).toEqual([]);
});

test('of each command the last end is kept, where it came last, and the last ten commands', () => {
  const facts = toTurnFacts([], [ran(['npm test', 1], ['npm run lint', 0]), ran(['npm test', 0])]);
  expect(facts).toEqual({
    commands: [
      { command: 'npm run lint', exitCode: 0 },
      { command: 'npm test', exitCode: 0 },
    ],
  });
  const many = toTurnFacts([], [ran(...Array.from({ length: 30 }, (_, index) => [`c${index}`, 0] as const))]);
  expect(many.commands?.map(({ command }) => command)).toEqual(
    Array.from({ length: 10 }, (_, index) => `c${index + 20}`),
  );
});

test('they stay small, whatever was done', () => {
  const changes = Array.from({ length: 3_000 }, (_, index) => ({
    path: `${'x'.repeat(900)}${index}`,
    change: 'added' as const,
  }));
  const facts = toTurnFacts(changes, [ran(...changes.map(({ path }) => [path, 1] as const))]);
  expect(facts.changes?.total).toBe(3_000);
  expect(JSON.stringify(facts).length).toBeLessThan(8_000);
});

test('for people they are two lines', () => {
  const facts = toTurnFacts(
    [
      { path: 'c.ts', change: 'deleted' },
      { path: 'a.ts', change: 'changed' },
      { path: 'b.ts', change: 'added' },
    ],
    [ran(['npm test', 0], ['npm run\n lint \u001B[2J', 2], ['sleep 900', null])],
  );
  expect(turnFactLines(facts, look)).toEqual([
    'changed: 3 files · a.ts, b.ts (new), c.ts (deleted)',
    'ran: npm test (ok) · npm run lint [2J (exit code 2) · sleep 900 (cut off)',
  ]);
  const [ascii] = turnFactLines(
    { changes: { total: 30, files: [{ path: 'a.ts', change: 'changed' }] } },
    { ...look, signs: asciiSigns },
  );
  expect(ascii).toBe('changed: 30 files | a.ts, and 29 more');
});
