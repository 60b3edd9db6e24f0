import { readFileSync } from 'node:fs';

/** The version of this package, whether it runs from sources or built. */
export function packageVersion(): string {
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) return String(parsed.version);
    } catch {
      // Built, the package file is one folder further up.
    }
  }
  return 'unknown';
}
