import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import type { FileChange } from '../../domain/session/turn-facts.ts';
import type { Git } from '../workspace/git.ts';
import { emptyTree } from './folder-state.ts';
import type { FolderState } from './folder-state.ts';

const mostFiles = 200;
const mostFileBytes = 256 * 1024;
const mostText = 100_000;
const patchArgs = [
  'diff',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-renames',
  '--irreversible-delete',
] as const;

/**
 * The changes as a patch against the commit of then, at most 100,000 characters; without files that were not committed even then (whose
 * patch would hold what a person had done before) and without large ones. Empty where nothing is left, or git cannot tell.
 */
export async function diffSince(
  git: Git,
  folder: string,
  before: FolderState,
  changes: readonly FileChange[],
): Promise<string> {
  const { top, head } = before;
  const files = changes.map(({ path, change }) => ({ path: relative(top, join(folder, path)), change }));
  const wanted: typeof files = [];
  for (const file of files) {
    if (wanted.length === mostFiles) break;
    if (!(file.path in before.files) && (await sizeOf(join(top, file.path))) <= mostFileBytes) wanted.push(file);
  }
  if (wanted.length === 0) return '';
  const scratch = await mkdtemp(join(tmpdir(), 'codetether-diff-'));
  const call = { cwd: top, indexFile: join(scratch, 'index'), env: { GIT_LITERAL_PATHSPECS: '1' } };
  const commit = head ?? emptyTree;
  try {
    // An index of its own: the user's is not touched.
    await git(['read-tree', commit], call);
    const added = wanted.filter(({ change }) => change === 'added').map(({ path }) => path);
    if (added.length > 0) await git(['add', '--intent-to-add', '--force', '--', ...added], call);
    const { stdout } = await git([...patchArgs, commit, '--', ...wanted.map(({ path }) => path)], call);
    return stdout.slice(0, mostText).toWellFormed();
  } catch (error) {
    // What is told of a turn must not keep it from ending.
    if (error instanceof CodetetherError) return '';
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What one commit has changed since another, at most 100,000 characters; empty where git cannot tell (any more). */
export async function patchBetween(git: Git, folder: string, [from, to]: readonly [string, string]): Promise<string> {
  try {
    const { stdout } = await git([...patchArgs, from, to], { cwd: folder });
    return stdout.slice(0, mostText).toWellFormed();
  } catch (error) {
    if (error instanceof CodetetherError) return '';
    throw error;
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await lstat(file).catch(() => undefined))?.size ?? 0;
}
