/**
 * The candidate that was most likely meant, or undefined when none is close: case and look-alikes (`0` and `O`, `1`, `l`
 * and `I`, `-` and `_`), then up to two typing errors (one in a word shorter than five letters).
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = lookAlike(word);
  const same = candidates.find((candidate) => lookAlike(candidate) === wanted);
  if (same !== undefined) return same;
  const most = wanted.length < 5 ? 1 : 2;
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, lookAlike(candidate), Math.min(most, (best?.distance ?? most + 1) - 1));
    if (distance !== undefined) best = { candidate, distance };
  }
  return best?.candidate;
}

function lookAlike(word: string): string {
  return word
    .toLowerCase()
    .replaceAll('o', '0')
    .replace(/[li]/g, '1')
    .replace(/[\s_-]+/g, '-');
}

/** Levenshtein distance, undefined when it is more than `most`. */
function editDistance(a: string, b: string, most: number): number | undefined {
  if (most < 0 || Math.abs(a.length - b.length) > most) return undefined;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) > most) return undefined;
    row = next;
  }
  const distance = row.at(-1) ?? 0;
  return distance <= most ? distance : undefined;
}
