import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { CaseResult } from './kit.ts';

/** A case that fails for a reason that is the kit's, or that we stand by. */
export interface KnownFault {
  /** Name of a case; `*` stands for any characters. */
  readonly pattern: string;
  readonly reason: string;
}

/** Of the kit; each line holds a pattern and its reason: `server/* # why`. Throws for a line without a reason. */
export async function readKnownFaults(kit: string): Promise<readonly KnownFault[]> {
  const file = fileURLToPath(new URL(`known-faults/${kit}.txt`, import.meta.url));
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, pattern, reason] = /^(\S+)\s+#\s*(\S.*)$/.exec(line) ?? [];
      if (pattern === undefined || reason === undefined) throw new Error(`${file}: a line has no reason: ${line}`);
      return { pattern, reason };
    });
}

export interface Judged {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What is to be told: failures, faults that are known, those that do not occur any more. */
  readonly lines: readonly string[];
}

/** A known fault counts as skipped, one that does not occur any more as failed. */
export function judge(cases: readonly CaseResult[], known: readonly KnownFault[]): Judged {
  const met = new Set<KnownFault>();
  const count = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const { name, outcome, why = '' } of cases) {
    const fault = outcome === 'failed' ? known.find((one) => isMeant(one, name)) : undefined;
    if (fault === undefined) {
      count[outcome]++;
      if (outcome === 'failed') lines.push(`failed  ${name}: ${why}`);
    } else {
      met.add(fault);
      count.skipped++;
      lines.push(`known   ${name}: ${fault.reason}`);
    }
  }
  for (const fault of known.filter((fault) => !met.has(fault))) {
    count.failed++;
    lines.push(`failed  ${fault.pattern}: is a known fault, and does not occur any more`);
  }
  return { ...count, lines };
}

function isMeant({ pattern }: KnownFault, name: string): boolean {
  return new RegExp(`^${pattern.replaceAll(/[^\w*]/g, String.raw`\$&`).replaceAll('*', '.*')}$`).test(name);
}
