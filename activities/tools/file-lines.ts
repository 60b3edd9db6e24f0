import type { FileHandle } from 'node:fs/promises';

export interface Line {
  /** Its beginning, at most 8,000 characters. */
  readonly text: string;
  readonly length: number;
}

const keptLineLength = 8000;

/** Lines as grep and editors count them: ended by LF; a last one without LF counts too. Holds one chunk in memory. */
export async function* linesOf(handle: FileHandle): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8');
  const chunk = Buffer.allocUnsafe(256 * 1024);
  let kept = '';
  let length = 0;
  const add = (part: string) => {
    length += part.length;
    if (kept.length < keptLineLength) kept += part.slice(0, keptLineLength - kept.length);
  };
  const take = (): Line => {
    const line = { text: kept, length };
    kept = '';
    length = 0;
    return line;
  };
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length);
    const parts = decoder.decode(chunk.subarray(0, bytesRead), { stream: bytesRead > 0 }).split('\n');
    for (const part of parts.slice(0, -1)) {
      add(part);
      yield take();
    }
    add(parts.at(-1) ?? '');
    if (bytesRead === 0) break;
  }
  if (length > 0) yield take();
}
