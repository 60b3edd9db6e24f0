/** Tokens that a text of so many UTF-8 bytes has at most, by rule of thumb: source code and English need less. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

export const bytesPerToken = 3.2;

/** {@link estimateTokens} of a text. */
export function textTokens(text: string): number {
  return estimateTokens(utf8Bytes(text));
}

/** UTF-8 bytes of a text; a lone surrogate counts as the replacement character. */
export function utf8Bytes(text: string): number {
  // Nearly all texts are ASCII, which the engine checks much faster than it can be counted here.
  // oxlint-disable-next-line no-control-regex
  if (/^[\u0000-\u007f]*$/.test(text)) return text.length;
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** Frames around messages, tool calls and results, which are in no text. */
export const frameTokens = 16;
const requestTokens = 256;

/**
 * Tokens that a request has at most. A token of the providers' encodings is one byte or more, so a text has no more tokens
 * than bytes; what the session's last call has sent was counted by the provider, so only what is new since is guessed.
 * @param whole all that is sent
 * @param since what was added after the last call was sent; undefined where there was none, or by another model
 */
export function mostInputTokens(
  whole: { readonly bytes: number; readonly rows: number },
  since?: { readonly countedTokens: number; readonly bytes: number; readonly rows: number },
): number {
  const bound = ({ bytes, rows }: { readonly bytes: number; readonly rows: number }) =>
    bytes + rows * frameTokens + requestTokens;
  return since === undefined ? bound(whole) : Math.min(bound(whole), since.countedTokens + bound(since));
}
