import { open } from 'node:fs/promises';
import { logFile } from './paths.ts';
import type { LogName } from './paths.ts';

const chunkBytes = 64 * 1024;

export interface LogTail {
  readonly lines: readonly string[];
  /** Where the next part begins. */
  readonly offset: number;
}

/** The last lines of a process's log, without reading all of it; none when there is no log yet. */
export async function readLogTail(
  dataDir: string,
  name: LogName,
  options: { readonly lines: number },
): Promise<LogTail> {
  const file = await open(logFile(dataDir, name), 'r').catch(() => undefined);
  if (file === undefined) return { lines: [], offset: 0 };
  try {
    const { size } = await file.stat();
    let from = size;
    let data = Buffer.alloc(0);
    while (from > 0 && count(data) <= options.lines) {
      const length = Math.min(chunkBytes, from);
      from -= length;
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, from);
      data = Buffer.concat([buffer, data]);
    }
    const lines = data.toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    return { lines: options.lines === 0 ? [] : lines.slice(-options.lines), offset: size };
  } finally {
    await file.close();
  }
}

/** Whole lines written after `offset`; starts over when the log was cut meanwhile. */
export async function readLogFrom(dataDir: string, name: LogName, offset: number): Promise<LogTail> {
  const file = await open(logFile(dataDir, name), 'r').catch(() => undefined);
  if (file === undefined) return { lines: [], offset: 0 };
  try {
    const { size } = await file.stat();
    const from = size < offset ? 0 : offset;
    const length = Math.min(size - from, 1024 * 1024);
    if (length === 0) return { lines: [], offset: from };
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, from);
    const end = buffer.lastIndexOf(newline) + 1;
    if (end === 0) return { lines: [], offset: from };
    return {
      lines: buffer
        .subarray(0, end - 1)
        .toString('utf8')
        .split('\n'),
      offset: from + end,
    };
  } finally {
    await file.close();
  }
}

const newline = 10;

function count(data: Buffer): number {
  let lines = 0;
  for (const byte of data) if (byte === newline) lines += 1;
  return lines;
}
