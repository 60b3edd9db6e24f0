import { expect, test } from 'vitest';
import { judgeProgress } from '../../domain/run/progress.ts';
import type { RememberedFailure } from '../../domain/run/progress.ts';

/** `Fx` is failure F on tree x. */
function failures(text: string): RememberedFailure[] {
  return text.split(' ').map((of, index) => ({
    attempt: index + 1,
    reason: 'gate-failed',
    message: `gate test: ${of[0]}`,
    failure: of[0] ?? '',
    tree: of.slice(1),
    files: [`src/${of.slice(1)}.ts`],
  }));
}

test.each([
  ['Ax', 'go-on'],
  ['Ax Bx', 'go-on'],
  ['Ax Ay', 'go-on'],
  ['Ax Ax', 'diagnose'],
  ['Ax Ax Ax', 'blocked'],
  ['Ax Ax Bx', 'go-on'],
  ['Ax Ax By Ax', 'go-on'],
  ['Ax Ax By Ax Ax', 'blocked'],
  ['Ax By Ax By', 'diagnose'],
  ['Ax By Ax By Ax', 'blocked'],
  ['Ax By Ax By By', 'blocked'],
  ['Ax By Ax By Cz', 'go-on'],
  // The trees take turns, whatever they fail with.
  ['Ax By Cx Dy', 'diagnose'],
  // Two failures take turns on trees that are always new: mending one breaks the other.
  ['Av Bw Ax By', 'diagnose'],
  ['Av Bw Ax By Az', 'blocked'],
  ['Av Bw Cx Ay Bz', 'go-on'],
  ['A A', 'diagnose'],
])('after %s: %s', (sequence, kind) => {
  expect(judgeProgress(failures(sequence)).kind).toBe(kind);
});

test('the diagnosis says what was the same, which files, and what was tried', () => {
  expect(judgeProgress(failures('Bq Ax Ax'))).toEqual({
    kind: 'diagnose',
    diagnosis:
      'Attempts 2 and 3 left exactly the same files and failed in the same way. ' +
      'Tried: attempt 2 (gate-failed): gate test: A; attempt 3 (gate-failed): gate test: A. Changed files: src/x.ts.',
  });
  expect(judgeProgress(failures('Ax By Ax By'))).toMatchObject({
    diagnosis: expect.stringContaining('Attempts 1, 2, 3 and 4 take turns between two states.'),
  });
});
