/**
 * The one text of a JSON value by RFC 8785 (JCS): what is signed of a document, however it was written.
 * @throws TypeError for what is no JSON value, and for texts that are no Unicode
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    // By UTF-16 code units, as the RFC and `sort` have it.
    const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  const isValue =
    value === null ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value)) ||
    (typeof value === 'string' && value.isWellFormed());
  if (!isValue) throw new TypeError(`a ${typeof value} that is no JSON value has no canonical form`);
  return JSON.stringify(value);
}
