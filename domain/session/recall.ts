import type { Block } from './turns.ts';

export interface Recalled {
  readonly block: Block;
  /** The part of it that fits best, on one line. */
  readonly excerpt: string;
}

const excerptCharacters = 500;

/**
 * The steps whose words fit the query best, best first; none when no word of it occurs. Rare words count more, long steps less
 * (BM25). Words are runs of letters, digits and underscores of two characters at least; case does not count. Deterministic.
 */
export function recall(blocks: readonly Block[], query: string, limit: number): readonly Recalled[] {
  const wanted = [...new Set(wordsOf(query))];
  const documents = blocks.map((block) => {
    const text = textOfBlock(block);
    const counts = new Map<string, number>();
    const words = wordsOf(text);
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    return { block, text, counts, length: words.length };
  });
  const averageLength = documents.reduce((sum, { length }) => sum + length, 0) / Math.max(1, documents.length) || 1;
  const rarity = new Map(
    wanted.map((word) => {
      const having = documents.filter(({ counts }) => counts.has(word)).length;
      return [word, Math.log(1 + (documents.length - having + 0.5) / (having + 0.5))];
    }),
  );
  return documents
    .map((document) => {
      const shortness = 1.2 * (0.25 + (0.75 * document.length) / averageLength);
      const score = wanted.reduce((sum, word) => {
        const count = document.counts.get(word) ?? 0;
        return sum + ((rarity.get(word) ?? 0) * count * 2.2) / (count + shortness);
      }, 0);
      return { ...document, score };
    })
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || b.block.seq - a.block.seq)
    .slice(0, limit)
    .map(({ block, text }) => ({ block, excerpt: excerptOf(text, wanted, rarity) }));
}

/** What a step says and did, with the whole of its results. */
export function textOfBlock(block: Block): string {
  return block.rows
    .map(({ kind, body }) => {
      if (kind === 'assistant')
        return [body.text, ...body.toolCalls.map(({ name, args }) => `${name} ${JSON.stringify(args) ?? ''}`)].join(
          '\n',
        );
      return kind === 'tool-result' ? body.output : body.text;
    })
    .join('\n');
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
}

function excerptOf(text: string, wanted: readonly string[], rarity: ReadonlyMap<string, number>): string {
  const lower = text.toLowerCase();
  const rarest = wanted
    .filter((word) => lower.includes(word))
    .toSorted((a, b) => (rarity.get(b) ?? 0) - (rarity.get(a) ?? 0))[0];
  const at = rarest === undefined ? 0 : lower.indexOf(rarest);
  const start = Math.max(0, at - excerptCharacters / 3);
  const part = text
    .slice(start, start + excerptCharacters)
    .toWellFormed()
    .replace(/\s+/g, ' ')
    .trim();
  return `${start > 0 ? '…' : ''}${part}${start + excerptCharacters < text.length ? '…' : ''}`;
}
