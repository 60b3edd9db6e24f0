import { expect, test } from 'vitest';
import { eventStreamData } from '../../services/client/event-stream.ts';

async function read(pieces: readonly Uint8Array[]): Promise<string[]> {
  async function* body() {
    yield* pieces;
  }
  const data: string[] = [];
  for await (const entry of eventStreamData(body())) data.push(entry);
  return data;
}

const text = 'retry: 500\n\nid: 1\nevent: warning\ndata: {"a":"ä\u2028😀"}\n\n: ping\n\ndata: 2\n\ndata: cut o';

test('each data line is given once it is whole, wherever the bytes are cut', async () => {
  const bytes = new TextEncoder().encode(text);
  const expected = ['{"a":"ä\u2028😀"}', '2'];
  expect(await read([bytes])).toEqual(expected);
  expect(await read(Array.from(bytes, (byte) => new Uint8Array([byte])))).toEqual(expected);
  for (let cut = 1; cut < bytes.length; cut++) {
    expect(await read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
  }
});
