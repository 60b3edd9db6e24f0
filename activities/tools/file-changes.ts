import { lstat, mkdir, open, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { isBinary, maxWholeFileBytes, openForReading } from './text-file.ts';
import type { ChangedFile, ToolContext } from './tool.ts';
import { resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

/** What becomes of one file; content null: it goes. */
export interface FileChange {
  readonly file: WorkspacePath;
  readonly content: Buffer | null;
  /** Default: the mode that the file has. */
  readonly mode?: number | undefined;
  /** It is not there yet. */
  readonly isNew?: true;
}

/** As tools report it. */
export function changedFilesOf(changes: readonly FileChange[]): readonly ChangedFile[] {
  return changes.map(({ file, content, isNew }) => ({
    ...file,
    change: content === null ? 'deleted' : isNew === true ? 'added' : 'changed',
  }));
}

export type ReadFile =
  | { readonly kind: 'file'; readonly bytes: Buffer; readonly mode: number }
  | { readonly kind: 'missing' }
  /** Not one that these tools change; the reason is for the model. */
  | { readonly kind: 'refused'; readonly reason: string };

/** A text file that is to be changed, whole; throws Node's system errors other than that it is not there. */
export async function readForChange(file: WorkspacePath): Promise<ReadFile> {
  try {
    const stats = await lstat(file.absolute);
    if (!stats.isFile()) return { kind: 'refused', reason: `${file.relative} is not a regular file` };
    if (stats.size > maxWholeFileBytes)
      return { kind: 'refused', reason: `${file.relative} has ${stats.size} bytes, too much for an edit; use bash` };
    const handle = await openForReading(file.absolute);
    try {
      const bytes = await handle.readFile();
      return isBinary(bytes)
        ? { kind: 'refused', reason: `${file.relative} is a binary file of ${bytes.length} bytes` }
        : { kind: 'file', bytes, mode: stats.mode & 0o7777 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    throw error;
  }
}

/**
 * Makes all of the changes or none: what fails half-way is undone before it throws. When the process dies in the middle, the
 * checkpoint puts the workspace back, which holds no ignored files: see {@link ignoredFiles}.
 * Throws `disk-full` and Node's system errors.
 */
export async function applyChanges(changes: readonly FileChange[]): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const ready: { readonly change: FileChange; readonly temporary: string | null }[] = [];
    for (const change of changes)
      ready.push({ change, temporary: change.content === null ? null : await prepare(change, change.content, undo) });
    for (const { change, temporary } of ready) {
      const { absolute } = change.file;
      const before = await contentOf(absolute);
      undo.push(() => putBack(absolute, before));
      if (temporary === null) await rm(absolute);
      else await rename(temporary, absolute);
    }
  } catch (error) {
    for (const step of undo.toReversed()) await step();
    throw error;
  }
}

/** Writes the content beside its file, in folders made for it. */
async function prepare(change: FileChange, content: Buffer, undo: (() => Promise<unknown>)[]): Promise<string> {
  const { absolute } = change.file;
  const folder = dirname(absolute);
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) undo.push(() => removeEmpty(folder, made));
  const temporary = join(folder, `.${basename(absolute).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`);
  undo.push(() => rm(temporary, { force: true }));
  const mode = change.mode ?? (await modeOf(absolute));
  const handle = await open(temporary, 'wx', mode ?? 0o666);
  try {
    await handle.writeFile(content);
    if (mode !== undefined) await handle.chmod(mode);
  } finally {
    await handle.close();
  }
  return temporary;
}

async function contentOf(path: string): Promise<{ readonly bytes: Buffer; readonly mode: number } | null> {
  try {
    return { bytes: await readFile(path), mode: (await modeOf(path)) ?? 0o644 };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function putBack(
  path: string,
  before: { readonly bytes: Buffer; readonly mode: number } | null,
): Promise<unknown> {
  if (before === null) return rm(path, { force: true });
  const handle = await open(path, 'w', before.mode);
  try {
    await handle.writeFile(before.bytes);
    await handle.chmod(before.mode);
  } finally {
    await handle.close();
  }
}

/** Removes folders that were made, from `folder` up to `highest`. */
async function removeEmpty(folder: string, highest: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    // One that is not empty belongs to somebody else by now.
    await rmdir(at).catch(() => undefined);
    if (at === highest) return;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).mode & 0o7777;
  } catch {
    return undefined;
  }
}

/**
 * Those of the files that git ignores. Checkpoints do not hold them, so a change of several files at once leaves them out: after a
 * crash in the middle they could not be put back.
 */
export async function ignoredFiles(context: ToolContext, files: readonly WorkspacePath[]): Promise<readonly string[]> {
  // A person's own folder has no checkpoints, and need not be in a repository.
  if (files.length < 2 || context.branch === null) return [];
  const input = files.map((file) => `${file.relative}\0`).join('');
  const { stdout } = await context.git(['check-ignore', '-z', '--stdin'], { input, accept: [1] });
  return stdout.split('\0').filter((path) => path !== '');
}

/** The refusal that belongs to {@link ignoredFiles}; undefined when there are none. */
export async function ignoredProblem(
  context: ToolContext,
  files: readonly WorkspacePath[],
): Promise<string | undefined> {
  const ignored = await ignoredFiles(context, files);
  if (ignored.length === 0) return undefined;
  const are = ignored.length === 1 ? 'is' : 'are';
  return `${ignored.join(', ')} ${are} ignored by git and cannot be changed together with other files; use edit or write for it alone. Nothing was changed.`;
}

/** Where each path leads; a refusal names all that are refused. */
export async function resolveAll(
  context: ToolContext,
  paths: readonly string[],
): Promise<{ readonly files: ReadonlyMap<string, WorkspacePath>; readonly problems: readonly string[] }> {
  const files = new Map<string, WorkspacePath>();
  const problems: string[] = [];
  for (const path of new Set(paths)) {
    try {
      files.set(path, await resolveWorkspacePath(context.workspace, path, 'write'));
    } catch (error) {
      if (!(error instanceof CodetetherError) || error.code !== 'path-outside-workspace') throw error;
      problems.push(error.message);
    }
  }
  return { files, problems };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
