import type { Git } from './git.ts';
import { checkpointIndex, inWorktree, type Worktree } from './worktree.ts';

export interface MarkerPlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Where what is staged (in the index of checkpoints) adds a whole block of conflict markers (`<<<<<<<`, `=======`, `>>>>>>>`, each
 * at the beginning of a line) to what `base` has; undefined when nowhere. A line of `=======` alone is a heading, and a file
 * that had such a block in the base may have one. Binary files are not looked into.
 */
export async function findConflictMarkers(
  git: Git,
  worktree: Worktree,
  base: string,
): Promise<MarkerPlace | undefined> {
  const at = { ...inWorktree(worktree), indexFile: checkpointIndex(worktree) };
  // Of git's own check only the leftover markers are wanted, not what it says about blanks.
  const check = await git(
    [
      '-c',
      'core.whitespace=-blank-at-eol,-space-before-tab,-blank-at-eof,cr-at-eol',
      'diff-index',
      '--cached',
      '--check',
      '--no-renames',
      base,
    ],
    { ...at, accept: [2] },
  );
  if (check.exitCode === 0) return undefined;
  const found = [...check.stdout.matchAll(/^(.+):(\d+): leftover conflict marker$/gm)];
  const lines = Map.groupBy(found, ([, file = '']) => file);
  for (const [file, places] of lines) {
    const added = places.map(([, , line]) => Number(line));
    const blob = async (object: string) => (await git(['cat-file', 'blob', object], { ...at, accept: [128] })).stdout;
    const line = firstBlock((await blob(`:0:${file}`)).split('\n'), added);
    if (line === undefined) continue;
    const before = (await blob(`${base}:${file}`)).split('\n');
    const wereThere =
      firstBlock(
        before,
        [...before.keys()].map((index) => index + 1),
      ) !== undefined;
    if (!wereThere) return { file, line };
  }
  return undefined;
}

/** The line where the first block begins that consists of lines among `candidates` (ascending, from 1). */
function firstBlock(text: readonly string[], candidates: readonly number[]): number | undefined {
  let start: number | undefined;
  let isDivided = false;
  for (const line of candidates) {
    const [marker] = /^(<{7,}|={7,}|>{7,})(?=\s|$)/.exec(text[line - 1] ?? '') ?? [''];
    if (marker.startsWith('<')) {
      start = line;
      isDivided = false;
    } else if (marker.startsWith('=')) isDivided = start !== undefined;
    else if (marker.startsWith('>') && isDivided) return start;
  }
  return undefined;
}
