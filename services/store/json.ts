/**
 * What PostgreSQL's `jsonb` takes, as JSON text: NUL and lone surrogates, which tool output and cut texts can hold
 * and `jsonb` refuses, become U+FFFD.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return /\\u(?:0000|d[89a-f])/.test(text) ? JSON.stringify(cleanValue(JSON.parse(text))) : text;
}

/** What a `text` column takes: without NUL and lone surrogates. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}

function cleanValue(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (Array.isArray(value)) return value.map(cleanValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [cleanText(key), cleanValue(entry)]));
}
