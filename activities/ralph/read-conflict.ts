import { limitText, plainText } from '../tools/output-text.ts';
import type { Git } from '../workspace/git.ts';
import { mergeTrees } from '../workspace/merge.ts';

/** Two commits that cannot be merged by themselves, as an agent is told of it. */
export interface Conflict {
  readonly files: readonly string[];
  /** What the run branch did to these files since the two parted, as a diff. */
  readonly branchDiff: string;
  /** What the story did. */
  readonly storyDiff: string;
}

const maxDiffCharacters = 12 * 1024;
const maxFiles = 50;

/** Null when the commit merges with `base` cleanly. */
export async function readConflict(
  git: Git,
  input: { readonly folder: string; readonly base: string; readonly commit: string },
): Promise<Conflict | null> {
  const { folder, base, commit } = input;
  const at = { cwd: folder };
  const { conflicts } = await mergeTrees(git, { top: folder }, { onto: base, commit });
  if (conflicts.length === 0) return null;
  const parted = (await git(['merge-base', base, commit], at)).stdout.trim();
  const files = conflicts.slice(0, maxFiles);
  const paths = files.map((file) => `:(top,literal)${file}`);
  const diff = async (to: string): Promise<string> => {
    const answer = await git(['diff', '--no-ext-diff', '--no-color', '--no-renames', parted, to, '--', ...paths], at);
    return limitText(plainText(answer.stdout), {
      maxCharacters: maxDiffCharacters,
      advice: 'the files hold both sides',
    }).trimEnd();
  };
  return { files, branchDiff: await diff(base), storyDiff: await diff(commit) };
}
