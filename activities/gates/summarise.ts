import type { CommandResult } from '../process/run-command.ts';
import { cleanLine, plainText } from '../tools/output-text.ts';
import { countPassed, findFailures, type Failures } from './failures.ts';

/** Characters of a summary at most. */
export const longestSummary = 300;

/**
 * One line for people that says what failed: `1 of 14 tests: parse.test.js: "fri" is Friday`, `2 errors: a.ts:1: TS2304 …`,
 * or the last telling line of the output. Of a green check how many tests there were, when that is known; else empty.
 */
export function summarise(
  result: Pick<CommandResult, 'exitCode' | 'signal' | 'timedOut' | 'output'>,
  timeoutMs: number,
): string {
  const text = plainText(result.output);
  if (result.exitCode === 0) {
    const passed = countPassed(text);
    return passed === undefined ? '' : `${passed} ${passed === 1 ? 'test' : 'tests'} passed`;
  }
  const found = findFailures(text);
  const said = found === undefined ? lastWords(text) : describe(found);
  if (result.timedOut) return joined(`took longer than ${duration(timeoutMs)}`, said);
  if (result.exitCode === null) return joined(`ended by ${result.signal ?? 'a signal'}`, said);
  return said === '' ? `exit code ${result.exitCode}, no output` : cleanLine(said, longestSummary);
}

function joined(reason: string, said: string): string {
  return cleanLine(said === '' ? reason : `${reason}; ${said}`, longestSummary);
}

function describe({ failed, total, unit, names }: Failures): string {
  const count = total === undefined || total < failed ? `${failed}` : `${failed} of ${total}`;
  const units = (total ?? failed) === 1 ? unit : `${unit}s`;
  if (names.length === 0) return `${count} ${units} failed`;
  let text = `${count} ${units}: `;
  for (const [index, name] of names.entries()) {
    const left = names.length - index;
    const part = `${index === 0 ? '' : '; '}${cleanLine(name, 120)}`;
    if (index > 0 && text.length + part.length > longestSummary - 16) return `${text}; ${left} more`;
    text += part;
  }
  return text;
}

/** What package managers and runtimes write after the message that matters. */
const noise =
  /^(npm (ERR!|error|notice|warn)|yarn |error Command failed|ELIFECYCLE|\s*ELIFECYCLE|make(\[\d+\])?: |Node\.js v\d|\s+at |Finished in |Done in |info |\s*[\^~|─-]+\s*$|\[… \d+ bytes left out)/i;

function lastWords(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const telling = lines.filter((line) => !noise.test(line));
  const tail = telling.slice(-15);
  const error = tail.findLast((line) => /\b(error|exception|panic|fatal|not found|cannot)\b/i.test(line));
  return (error ?? tail.at(-1) ?? lines.at(-1) ?? '').trim();
}

function duration(ms: number): string {
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1000)} s`;
}
