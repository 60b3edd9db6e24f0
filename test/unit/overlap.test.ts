import { expect, test } from 'vitest';
import { footprint, spreadOut } from '../../domain/ralph/overlap.ts';
import { passedDependents } from '../../domain/ralph/schedule.ts';

const story = {
  title: 'Parse dates in src/dates.ts.',
  description:
    'As in `./lib/parse.js` (see https://example.com/a/b.html), with Node.js 24 and e.g. README.md; and/or v1.2.',
  acceptanceCriteria: ['"test/dates.test.ts" is green', 'nothing else changes: package.json, for one'],
  verificationSteps: [
    { type: 'file_exists' as const, path: 'docs/dates.md', glob: false },
    { type: 'file_exists' as const, path: 'src/*.ts', glob: true },
    { type: 'shell' as const, command: 'node bin/main.js', expectOutputContains: [], expectFilesGlob: [] },
  ],
};

test('a story is likely to change the files it names, those that must be there, and those it changed before', () => {
  expect([...footprint('A', story, ['src/other.ts']).files].toSorted()).toEqual([
    'README.md',
    'docs/dates.md',
    'lib/parse.js',
    'package.json',
    'src/dates.ts',
    'src/other.ts',
    'test/dates.test.ts',
  ]);
});

const candidates = ['A', 'B', 'C', 'D'].map((storyId) => ({ storyId }));
const footprints = new Map(
  Object.entries({ A: ['a'], B: ['a', 'b'], C: ['c'], D: ['b'], X: ['c', 'd'] }).map(([storyId, files]) => [
    storyId,
    { storyId, files: new Set(files) },
  ]),
);
const ids = (stories: readonly { readonly storyId: string }[]) => stories.map(({ storyId }) => storyId);

test('stories that overlap with one at work, or with a better one that starts now, are held back', () => {
  const { start, held } = spreadOut(candidates, { inFlight: ['X'], footprints, limit: 4 });
  expect(ids(start)).toEqual(['A', 'D']);
  expect(held).toEqual([
    { storyId: 'B', by: 'A', files: ['a'] },
    { storyId: 'C', by: 'X', files: ['c'] },
  ]);
});

test('the best story always starts when nothing is at work, and what does not fit is not called held', () => {
  expect(spreadOut(candidates, { inFlight: [], footprints, limit: 1 })).toEqual({
    start: [{ storyId: 'A' }],
    held: [],
  });
  const same = new Map(candidates.map(({ storyId }) => [storyId, { storyId, files: new Set(['x']) }]));
  expect(ids(spreadOut(candidates, { inFlight: [], footprints: same, limit: 4 }).start)).toEqual(['A']);
});

test('dependents of a story are found through others, but only those that have passed are named', () => {
  const stories = [
    { storyId: 'C', status: 'passed', dependsOn: ['B'] },
    { storyId: 'A', status: 'passed', dependsOn: [] },
    { storyId: 'B', status: 'failed', dependsOn: ['A'] },
    { storyId: 'D', status: 'passed', dependsOn: [] },
  ] as const;
  expect(passedDependents(stories, 'A')).toEqual(['C']);
  expect(passedDependents(stories, 'D')).toEqual([]);
});
