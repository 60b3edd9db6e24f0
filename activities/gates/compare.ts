import { plainText } from '../tools/output-text.ts';
import { findFailures } from './failures.ts';

/** How a red gate ended. */
export interface RedGate {
  readonly exitCode: number | null;
  readonly output: string;
}

/**
 * Whether a red gate fails in no other way than it did before: every named failure was there (the line it is on does not
 * matter) and there are no more of them. Where a gate does not name its failures: the same exit code and no more lines that speak of one.
 */
export function isNoWorse(now: RedGate, before: RedGate): boolean {
  const [textNow, textBefore] = [plainText(now.output), plainText(before.output)];
  const [failuresNow, failuresBefore] = [findFailures(textNow), findFailures(textBefore)];
  if (failuresNow === undefined && failuresBefore === undefined) {
    return now.exitCode === before.exitCode && countErrorLines(textNow) <= countErrorLines(textBefore);
  }
  if (failuresNow === undefined || failuresBefore === undefined) return false;
  if (failuresNow.unit !== failuresBefore.unit || failuresNow.failed > failuresBefore.failed) return false;
  if (failuresNow.names.length === 0) return failuresBefore.names.length === 0 && now.exitCode === before.exitCode;
  const left = countNames(failuresBefore.names);
  return [...countNames(failuresNow.names)].every(([name, count]) => count <= (left.get(name) ?? 0));
}

/** A change above a failure moves it to another line. */
function countNames(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const key = name.replace(/:\d+(?::\d+)?(?=:|$)/g, '');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function countErrorLines(text: string): number {
  return text
    .split('\n')
    .filter((line) => /\b(errors?|fail(ed|ing|ures?|s)?|exception|panic|fatal|not found|cannot)\b|✖|✗|×/i.test(line))
    .length;
}
