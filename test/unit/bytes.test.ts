import { expect, test } from 'vitest';
import { bytesOf, formatBytes } from '../../domain/text/bytes.ts';

test.each([
  ['5g', 5e9],
  ['1.5 GB', 1.5e9],
  ['500m', 5e8],
  ['1_000_000', 1e6],
  ['0', null],
  ['5k', null],
  ['-1g', null],
  ['', null],
])('%j is %j bytes', (text, bytes) => {
  expect(bytesOf(text)).toBe(bytes);
});

test('sizes are shown with their unit', () => {
  expect([formatBytes(1), formatBytes(350_000_000), formatBytes(1_240_000_000)]).toEqual(['1 MB', '350 MB', '1.2 GB']);
});
