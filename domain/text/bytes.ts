/** `5g`, `1.5g`, `500m` or `800000000` as bytes (a gigabyte is 1,000,000,000); null for anything else, and for nothing. */
export function bytesOf(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([mg])b?)?$/i.exec(text.trim().replaceAll('_', ''));
  if (match === null) return null;
  const unit = match[2]?.toLowerCase();
  const bytes = Math.round(Number(match[1]) * (unit === 'g' ? 1e9 : unit === 'm' ? 1e6 : 1));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** `1.2 GB`, `350 MB`. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
