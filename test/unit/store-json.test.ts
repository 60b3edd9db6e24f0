import { expect, test } from 'vitest';
import { cleanText, jsonText } from '../../services/store/json.ts';

test('plain JSON is written as it is', () => {
  expect(jsonText({ a: ['\u2028', '"', 'é😀', null, 1.5] })).toBe('{"a":["\u2028","\\"","é😀",null,1.5]}');
});

test('NUL and lone surrogates become the replacement character, in keys and values, at any depth', () => {
  expect(JSON.parse(jsonText({ 'k\u0000': [{ deep: 'a\u0000b' }, '\uD83D', '\uDE00x'] }))).toEqual({
    'k\uFFFD': [{ deep: 'a\uFFFDb' }, '\uFFFD', '\uFFFDx'],
  });
});

test('text that only looks like an escape is not touched', () => {
  const value = { path: 'C:\\u0000\\ud83d' };
  expect(JSON.parse(jsonText(value))).toEqual(value);
});

test('text columns get neither NUL nor lone surrogates', () => {
  expect(cleanText('a\u0000\uD83D😀')).toBe('a\uFFFD\uFFFD😀');
});
