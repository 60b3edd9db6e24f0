import type { AttemptFingerprint } from './fingerprint.ts';
import type { AttemptFailure } from './events.ts';

/** A failed attempt as it is remembered for its story, oldest first. */
export interface RememberedFailure extends AttemptFingerprint {
  readonly attempt: number;
  readonly reason: AttemptFailure;
  readonly message: string;
  /** Files that differ from the story's base, the first of them. */
  readonly files: readonly string[];
}

/**
 * - `go-on`: the newest failure is a new one
 * - `diagnose`: it goes round in circles; the next attempt is to be told so
 * - `blocked`: it does so although it was told
 */
export type ProgressVerdict =
  | { readonly kind: 'go-on' }
  | { readonly kind: 'diagnose' | 'blocked'; readonly diagnosis: string };

/** More failures of one story are not looked at. */
export const rememberedFailures = 12;

/**
 * Whether a story gets anywhere, from what its attempts left behind and not from what they say. Going round in circles is the
 * same failure on the same tree twice in a row, or two trees or two failures taking turns (A, B, A, B).
 */
export function judgeProgress(failures: readonly RememberedFailure[]): ProgressVerdict {
  const told = new Set<string>();
  let verdict: ProgressVerdict = { kind: 'go-on' };
  for (let count = 1; count <= failures.length; count++) {
    const circle = circleAtEnd(failures.slice(0, count));
    if (circle === undefined) {
      verdict = { kind: 'go-on' };
      continue;
    }
    const wasTold = circle.some((failure) => told.has(identity(failure)));
    for (const failure of circle) told.add(identity(failure));
    verdict = { kind: wasTold ? 'blocked' : 'diagnose', diagnosis: diagnosisOf(circle) };
  }
  return verdict;
}

function identity({ failure, tree }: AttemptFingerprint): string {
  return `${failure} ${tree}`;
}

/** The attempts that are one circle, oldest first. */
function circleAtEnd(failures: readonly RememberedFailure[]): readonly RememberedFailure[] | undefined {
  const [a, b, c, d] = [failures.at(-4), failures.at(-3), failures.at(-2), failures.at(-1)];
  if (c === undefined || d === undefined) return undefined;
  if (identity(c) === identity(d)) return [c, d];
  if (a === undefined || b === undefined) return undefined;
  const takesTurns = (of: (failure: RememberedFailure) => string) =>
    of(a) !== '' && of(b) !== '' && of(a) === of(c) && of(b) === of(d) && of(a) !== of(b);
  return takesTurns(({ tree }) => tree) || takesTurns(({ failure }) => failure) ? [a, b, c, d] : undefined;
}

const shownFiles = 8;
const messageCharacters = 160;

function diagnosisOf(circle: readonly RememberedFailure[]): string {
  const numbers = circle.map(({ attempt }) => attempt);
  const listed = `${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;
  const same =
    circle.length === 2
      ? `Attempts ${listed} left exactly the same files and failed in the same way.`
      : `Attempts ${listed} take turns between two states.`;
  const tried = circle
    .slice(-2)
    .map(({ attempt, reason, message }) => `attempt ${attempt} (${reason}): ${shortened(message)}`)
    .join('; ');
  const files = [...new Set(circle.flatMap((failure) => failure.files))];
  const more = files.length > shownFiles ? ` and ${files.length - shownFiles} more` : '';
  const touched =
    files.length === 0
      ? 'No file differs from the base.'
      : `Changed files: ${files.slice(0, shownFiles).join(', ')}${more}.`;
  return `${same} Tried: ${tried}. ${touched}`;
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= messageCharacters ? line : `${line.slice(0, messageCharacters - 1).toWellFormed()}…`;
}
