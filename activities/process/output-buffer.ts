export interface OutputBuffer {
  write(chunk: Buffer): void;
  /** Text so far; where bytes were left out a line says how many. Invalid UTF-8 is replaced. */
  text(): string;
  omittedBytes(): number;
}

/**
 * Keeps the first third and the last two thirds of `capBytes`; memory stays below twice `capBytes` whatever is written.
 */
export function createOutputBuffer(capBytes: number): OutputBuffer {
  const headCap = Math.floor(capBytes / 3);
  const tailCap = capBytes - headCap;
  let head = Buffer.allocUnsafe(Math.min(headCap, 8192));
  let headLength = 0;
  let tail = Buffer.allocUnsafe(0);
  let tailStart = 0;
  let tailLength = 0;
  let total = 0;

  const writeHead = (chunk: Buffer): Buffer => {
    const taken = Math.min(chunk.length, headCap - headLength);
    if (headLength + taken > head.length) {
      const grown = Buffer.allocUnsafe(Math.min(headCap, Math.max(head.length * 2, headLength + taken)));
      head.copy(grown, 0, 0, headLength);
      head = grown;
    }
    chunk.copy(head, headLength, 0, taken);
    headLength += taken;
    return chunk.subarray(taken);
  };

  const growTail = (needed: number): void => {
    if (needed <= tail.length || tail.length === tailCap) return;
    const grown = Buffer.allocUnsafe(Math.min(tailCap, Math.max(8192, tail.length * 2, needed)));
    tailBytes().copy(grown);
    tail = grown;
    tailStart = 0;
  };

  const tailBytes = (): Buffer => {
    const end = tailStart + tailLength;
    if (end <= tail.length) return tail.subarray(tailStart, end);
    return Buffer.concat([tail.subarray(tailStart), tail.subarray(0, end - tail.length)]);
  };

  const writeTail = (chunk: Buffer): void => {
    const kept = chunk.length > tailCap ? chunk.subarray(chunk.length - tailCap) : chunk;
    growTail(tailLength + kept.length);
    const at = (tailStart + tailLength) % Math.max(1, tail.length);
    const first = Math.min(kept.length, tail.length - at);
    kept.copy(tail, at, 0, first);
    kept.copy(tail, 0, first);
    const overflow = Math.max(0, tailLength + kept.length - tail.length);
    tailStart = (tailStart + overflow) % Math.max(1, tail.length);
    tailLength = tailLength + kept.length - overflow;
  };

  const omittedBytes = (): number => total - headLength - tailLength;

  return {
    write(chunk) {
      total += chunk.length;
      const rest = headLength < headCap ? writeHead(chunk) : chunk;
      if (rest.length > 0) writeTail(rest);
    },
    text() {
      const headBytes = head.subarray(0, headLength);
      const omitted = omittedBytes();
      if (omitted === 0) return Buffer.concat([headBytes, tailBytes()]).toString('utf8');
      const start = withoutPartialEnd(headBytes).toString('utf8');
      const end = withoutPartialStart(tailBytes()).toString('utf8');
      return `${start}\n[… ${omitted} bytes left out …]\n${end}`;
    },
    omittedBytes,
  };
}

function withoutPartialEnd(bytes: Buffer): Buffer {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
    }
  }
  return bytes;
}

function withoutPartialStart(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start);
}

/** Calls back once per line, without its end; `\r` ends a line as well (progress bars). Very long lines come in pieces. */
export function createLineSplitter(onLine: (line: string) => void): {
  write(chunk: Buffer): void;
  /** The last line, when it has no end. */
  end(): void;
} {
  const decoder = new TextDecoder('utf-8');
  const longestLine = 8192;
  let pending = '';
  const take = (text: string): void => {
    const lines = (pending + text).split(/\r\n|\n|\r(?!$)/);
    pending = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (pending.length > longestLine) {
      onLine(pending);
      pending = '';
    }
  };
  return {
    write(chunk) {
      take(decoder.decode(chunk, { stream: true }));
    },
    end() {
      take(decoder.decode());
      const last = pending.replace(/\r$/, '');
      pending = '';
      if (last !== '') onLine(last);
    },
  };
}
