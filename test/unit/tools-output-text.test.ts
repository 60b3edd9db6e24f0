import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanLine, limitText, plainText, tailText } from '../../activities/tools/output-text.ts';

test('terminal control is taken out, of progress bars the last state stays', () => {
  expect(plainText('\u001b[31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u0007\u0000\u0008!')).toBe(
    'red link!',
  );
  expect(plainText('\u001b]0;title\u001b\\a\u001bPq#1\u001b\\b\u001b(Bc\u001b]unended')).toBe('abcunended');
  expect(plainText('10%\r20%\r100%\r\ndone\r\n\ttab')).toBe('100%\ndone\n\ttab');
  expect(plainText('a\ud800b')).toBe('a\ufffdb');
});

test('a label is one line of at most so many characters', () => {
  expect(cleanLine('  npm \n test\u001b[2J ', 100)).toBe('npm test');
  expect(cleanLine('x'.repeat(200), 100)).toBe(`${'x'.repeat(99)}…`);
  expect(cleanLine('😀'.repeat(60), 100).isWellFormed()).toBe(true);
});

test('a text that is too long keeps its beginning and its end and says what was cut', () => {
  const text = Array.from({ length: 1000 }, (_, index) => `line ${index + 1}`).join('\n');
  const limited = limitText(text, { maxCharacters: 500, advice: 'look elsewhere' });
  expect(limited.startsWith('line 1\nline 2\n')).toBe(true);
  expect(limited.endsWith('line 999\nline 1000')).toBe(true);
  expect(limited).toMatch(/\n\[… \d+ characters cut here; look elsewhere …\]\n/);
  expect(limitText('short', { maxCharacters: 5, advice: '' })).toBe('short');
});

test('no limited text is much longer than its limit, and all are well-formed', () => {
  const unit = fc.constantFrom('a', '\n', '😀', '\r');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 300 }), fc.integer({ min: 10, max: 200 }), (text, maxCharacters) => {
      const limited = limitText(text, { maxCharacters, advice: 'x' });
      const tail = tailText(text, maxCharacters);
      expect(limited.length).toBeLessThanOrEqual(Math.max(text.length, maxCharacters + 60));
      expect(tail.length).toBeLessThanOrEqual(Math.max(text.length, maxCharacters + 60));
      expect(limited.isWellFormed() && tail.isWellFormed()).toBe(true);
    }),
  );
});

test('a line of a megabyte without an end takes no time', () => {
  const startedMs = performance.now();
  plainText('x'.repeat(1_000_000));
  plainText('\u001b]'.repeat(200_000));
  plainText(`${'\r'.repeat(200_000)}x`);
  plainText('\r'.repeat(200_000));
  plainText('\u001b[1;'.repeat(200_000));
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
