import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLineSplitter, createOutputBuffer } from '../../activities/process/output-buffer.ts';

describe('the output buffer', () => {
  test('keeps the head and the tail of what is written, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.integer({ min: 3, max: 60 }), (chunks, cap) => {
        const buffer = createOutputBuffer(cap);
        for (const chunk of chunks) buffer.write(Buffer.from(chunk.map((byte) => 97 + (byte % 26))));
        const whole = Buffer.concat(
          chunks.map((chunk) => Buffer.from(chunk.map((byte) => 97 + (byte % 26)))),
        ).toString();
        const head = Math.floor(cap / 3);
        const omitted = Math.max(0, whole.length - cap);
        expect(buffer.omittedBytes()).toBe(omitted);
        expect(buffer.text()).toBe(
          omitted === 0
            ? whole
            : `${whole.slice(0, head)}\n[… ${omitted} bytes left out …]\n${whole.slice(whole.length - (cap - head))}`,
        );
      }),
    );
  });

  test.each([
    [29, '日本語\n[… 151 bytes left out …]\n日本語日本語'],
    [31, '日本語\n[… 149 bytes left out …]\n語日本語日本語'],
  ])('does not cut characters in two (%i bytes)', (capBytes, text) => {
    const buffer = createOutputBuffer(capBytes);
    buffer.write(Buffer.from('日本語'.repeat(20)));
    expect(buffer.text()).toBe(text);
  });

  test('replaces what is not UTF-8', () => {
    const buffer = createOutputBuffer(100);
    buffer.write(Buffer.from([0x61, 0xff, 0xfe, 0x62]));
    expect(buffer.text()).toBe('a\ufffd\ufffdb');
  });
});

test('lines come one by one, however the bytes are split', () => {
  const bytes = Buffer.from('erste\r\nzweite ü\n10%\r20%\n\nletzte');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 })), (sizes) => {
      const lines: string[] = [];
      const splitter = createLineSplitter((line) => lines.push(line));
      let at = 0;
      for (const size of sizes) {
        splitter.write(bytes.subarray(at, at + size));
        at += size;
      }
      splitter.write(bytes.subarray(at));
      splitter.end();
      expect(lines).toEqual(['erste', 'zweite ü', '10%', '20%', '', 'letzte']);
    }),
  );
});
