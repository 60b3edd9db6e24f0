import { matchesGlob } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { pathMatcher } from '../../activities/tools/match-path.ts';

const matches = (pattern: string, path: string) => pathMatcher(pattern)?.(path);

test.each([
  ['*.ts', 'a.ts', true],
  ['*.ts', 'src/deep/a.ts', true],
  ['*.ts', 'a.tsx', false],
  ['src/*.ts', 'src/a.ts', true],
  ['src/*.ts', 'src/deep/a.ts', false],
  ['src/**/*.ts', 'src/a.ts', true],
  ['src/**/*.ts', 'src/x/y/a.ts', true],
  ['src/**', 'src/x/y/a.ts', true],
  ['**/test/**/*.js', 'a/test/b/c.js', true],
  ['**/test/**/*.js', 'a/tests/b/c.js', false],
  ['./src/*.ts', 'src/a.ts', true],
  ['/src/*.ts', 'src/a.ts', true],
  ['*', '.env', true],
  ['.github/**', '.github/workflows/x.yml', true],
  ['*.{ts,tsx}', 'x/a.tsx', true],
  ['{src,.github}/**/*.{ts,y{a,}ml}', '.github/a/b.yml', true],
  ['{a}', '{a}', true],
  ['a{b,c', 'a{b,c', true],
  ['src/[[]id]/page.tsx', 'src/[id]/page.tsx', true],
  ['src/\\[id\\]/*', 'src/[id]/page.tsx', true],
  ['[a-c]?.[!j]s', 'b1.ts', true],
  ['[a-c]?.[!j]s', 'b1.js', false],
  ['[]]', ']', true],
  ['größe/*', 'größe/日本.txt', true],
  ['?.txt', '😀.txt', true],
])('%s against %s is %s', (pattern, path, expected) => {
  expect(matches(pattern, path)).toBe(expected);
});

test('agrees with Node where no name is hidden', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 4 });
  const patterns = fc.array(fc.oneof(part, fc.constant('**')), { minLength: 2, maxLength: 4 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(patterns, fc.array(name, { minLength: 1, maxLength: 5 }), (parts, names) => {
      fc.pre(!parts.some((given) => given !== '**' && given.includes('**')));
      const pattern = parts.join('/');
      const path = names.join('/');
      // Node lets a closing ** match nothing only after another folder.
      fc.pre(parts.at(-1) !== '**');
      expect(matches(pattern, path)).toBe(matchesGlob(path, pattern));
    }),
    { numRuns: 1000 },
  );
});

test('no pattern takes long', () => {
  const startedMs = performance.now();
  expect(matches('{a,b}'.repeat(40), 'x')).toBeUndefined();
  expect(pathMatcher('{a,{a,{a,{a,b}}}}'.repeat(9))).toBeNull();
  expect(matches(`${'*a'.repeat(200)}b`, 'a'.repeat(2000))).toBe(false);
  expect(matches(`${'**/a/'.repeat(100)}b`, 'a/'.repeat(1000))).toBe(false);
  expect(matches('{'.repeat(1000), 'x')).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
