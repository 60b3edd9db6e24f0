/** Tokens that a text of so many UTF-8 bytes has at most, by rule of thumb: source code and English need less. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / 3.2);
}
