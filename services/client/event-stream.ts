/**
 * The `data` of each event of a `text/event-stream` body, as far as our API writes it: lines end in LF, an event has one
 * `data` line. Pieces may be cut anywhere, also inside a character.
 */
export async function* eventStreamData(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true });
    let start = 0;
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', start)) {
      const line = rest.slice(start, end);
      start = end + 1;
      if (line.startsWith('data: ')) yield line.slice('data: '.length);
    }
    rest = rest.slice(start);
  }
}
