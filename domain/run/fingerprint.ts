import type { AttemptFailure } from './events.ts';

/** One failed attempt, short enough to be kept and compared for ever. */
export interface AttemptFingerprint {
  /** The same for attempts that failed in the same way. */
  readonly failure: string;
  /** Git tree of the workspace that the attempt left; empty where there was none. */
  readonly tree: string;
}

export function fingerprintOf(attempt: {
  readonly reason: AttemptFailure;
  readonly message: string;
  readonly tree: string;
}): AttemptFingerprint {
  return { failure: shortHash(`${attempt.reason} ${normaliseFailure(attempt.message)}`), tree: attempt.tree };
}

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const dateTime = /\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?/g;
const clock = /\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b/g;
const duration = /\b\d+(?:[.,]\d+)?\s?(?:ns|µs|us|ms|msecs?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b/gi;
/** `node --test` says so. */
const durationField = /\b(duration_ms|duration|elapsed|took)([:=\s]+)\d+(?:[.,]\d+)?/gi;
const tempPath = /(?:\/private)?(?:\/var\/folders|\/var\/tmp|\/tmp)\/[^\s'"`:,;)]*/g;
/** With a digit and a letter, or of 40 digits and letters: plain words and plain numbers are none. */
const hash = /\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b/gi;
const number = /\d+(?:[.,]\d+)*/g;
/** A word with a slash or a file ending: what it is about, so its digits count. */
const path = /\/|\.[a-z][a-z0-9]{0,4}(?![a-z0-9])/i;

/** The text without the times in it: two runs of the same command on the same files read the same. */
export function withoutTimes(text: string): string {
  return text
    .replace(dateTime, '<time>')
    .replace(clock, '<time>')
    .replace(duration, '<duration>')
    .replace(durationField, '$1$2<duration>');
}

/** A failure's summary without what differs between two runs of the same failure; the names of files stay. */
export function normaliseFailure(summary: string): string {
  return withoutTimes(summary.replace(uuid, '<hash>').replace(tempPath, '<temp>'))
    .replace(hash, '<hash>')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => (path.test(word) ? word.replace(/(?::\d+)+(?=\W*$)/, '') : word.replace(number, '<n>')))
    .join(' ');
}

/** FNV-1a of 64 bits: two failures of one story are told apart, nothing is proven by it. */
function shortHash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const character of text) {
    value = BigInt.asUintN(64, (value ^ BigInt(character.codePointAt(0) ?? 0)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}
