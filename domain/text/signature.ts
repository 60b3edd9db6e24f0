const begin = '<!-- codetether:begin -->';
const end = '<!-- codetether:end -->';
const block = new RegExp(`${begin}[^]*?(?:${end}|$)`);

/** The text with the block between its marks, in place of an earlier one, else at the end. The rest of the text is left as it is. */
export function withSignature(text: string, signature: string): string {
  const signed = `${begin}\n${signature.replaceAll('<!--', '&lt;!--').trim()}\n${end}`;
  if (block.test(text)) return text.replace(block, () => signed);
  const own = text.trimEnd();
  return own === '' ? signed : `${own}\n\n${signed}`;
}
