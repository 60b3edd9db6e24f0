/**
 * Which stories are likely to change the same files, so that they are not worked on at the same time. Pure, and a guess:
 * a wrong one costs some waiting, or a conflict that is resolved later.
 */
import type { Story } from './prd.ts';

/** Where a story's change is likely to be. */
export interface Footprint {
  readonly storyId: string;
  readonly files: ReadonlySet<string>;
}

export interface HeldStory {
  readonly storyId: string;
  /** The story that is worked on, or starts now, and is waited for. */
  readonly by: string;
  /** What both are likely to change; at most three. */
  readonly files: readonly string[];
}

type StoryTexts = Pick<Story, 'title' | 'description' | 'acceptanceCriteria' | 'verificationSteps'>;

/**
 * The files that a story names, and those that its earlier attempts have changed. Of the verification steps only files
 * that have to be there count: a command names what it runs.
 */
export function footprint(storyId: string, story: StoryTexts, changed: readonly string[]): Footprint {
  const texts = [story.title, story.description, ...story.acceptanceCriteria];
  const verified = story.verificationSteps.flatMap((step) =>
    step.type === 'file_exists' && !step.glob ? [normal(step.path)] : [],
  );
  return { storyId, files: new Set([...texts.flatMap(namedFiles), ...verified, ...changed]) };
}

/** A path with a folder and an extension, or a bare file name with an extension of source, data or text files. */
const inFolder = /^(?:[\w@.+-]+\/)+[\w@.+-]*\.[A-Za-z]\w{0,9}$/;
const bareName =
  /^[\w@+-][\w@.+-]*\.(?:c|cc|cpp|cs|css|ex|exs|go|h|hpp|html|java|js|json|jsx|kt|lock|lua|md|mjs|php|py|rb|rs|scala|scss|sh|sql|svelte|swift|toml|ts|tsx|txt|vue|xml|ya?ml|zig)$/;
/** Names of products that look like files. */
const products = /^(?:node|next|nuxt|vue|react|express|three|d3|chart|socket)\.js$/i;

function namedFiles(text: string): string[] {
  return text
    .replace(/\b\w+:\/\/\S+/g, ' ')
    .split(/[\s"'`()[\]{}<>,;:!?|*=]+/)
    .map((word) => normal(word.replace(/\.+$/, '')))
    .filter((word) => inFolder.test(word) || (bareName.test(word) && !products.test(word)));
}

function normal(path: string): string {
  return path.replace(/^(?:\.\/)+/, '');
}

/**
 * Splits candidates (best first) into at most `limit` that start now and those before the last of them that are held back,
 * each since it overlaps with one that is worked on or starts now. Held stories keep their place, so none starves: it is the first to
 * start once what it waits for is not worked on any more.
 */
export function spreadOut<Candidate extends { readonly storyId: string }>(
  candidates: readonly Candidate[],
  options: {
    readonly inFlight: readonly string[];
    readonly footprints: ReadonlyMap<string, Footprint>;
    readonly limit: number;
  },
): { readonly start: readonly Candidate[]; readonly held: readonly HeldStory[] } {
  const filesOf = (storyId: string): ReadonlySet<string> => options.footprints.get(storyId)?.files ?? new Set();
  const taken = [...options.inFlight];
  const start: Candidate[] = [];
  const held: HeldStory[] = [];
  for (const candidate of candidates) {
    if (start.length >= options.limit) break;
    const files = [...filesOf(candidate.storyId)].toSorted();
    const shared = (other: string): string[] => files.filter((file) => filesOf(other).has(file));
    const by = taken.find((other) => shared(other).length > 0);
    if (by === undefined) {
      start.push(candidate);
      taken.push(candidate.storyId);
    } else {
      held.push({ storyId: candidate.storyId, by, files: shared(by).slice(0, 3) });
    }
  }
  return { start, held };
}
