import { readdir, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Dirent } from 'node:fs';
import type {
  FileListView,
  FileSearchView,
  FileView,
  ListFilesQuery,
  ReadFileQuery,
  SearchFilesQuery,
} from '../../domain/contracts/files-api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { linesOf } from '../../activities/tools/file-lines.ts';
import { listFolder } from '../../activities/tools/list-files.ts';
import { searchWithin } from '../../activities/tools/search-thread.ts';
import { isBinary, openForReading } from '../../activities/tools/text-file.ts';
import { resolveWorkspacePath } from '../../activities/tools/workspace-path.ts';
import type { WorkspacePath } from '../../activities/tools/workspace-path.ts';
import type { Git } from '../../activities/workspace/git.ts';

const mostEntries = 1_000;
const mostCharacters = 200_000;
const longestMatch = 300;
const searchMs = 15_000;

/**
 * What a folder holds. Like the other two it goes through the path guard, and refuses git's own data: a remote's address in it
 * may hold a password. @throws `path-outside-workspace`, `not-found`, `request-invalid`
 */
export async function listWorkspaceFiles(root: string, query: ListFilesQuery): Promise<FileListView> {
  const place = await existing(root, query.path);
  if (!(await stat(place.absolute)).isDirectory()) throw missing(`${place.relative} is no folder of the workspace`);
  const entries = (await readdir(place.absolute, { withFileTypes: true }))
    .filter(({ name }) => name.toLowerCase() !== '.git')
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return {
    path: place.relative,
    entries: entries.slice(0, mostEntries).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
    more: Math.max(0, entries.length - mostEntries),
  };
}

/** Lines of a text file. */
export async function readWorkspaceFile(root: string, query: ReadFileQuery): Promise<FileView> {
  const place = await existing(root, query.path);
  // Of the kind first: opening a pipe or a device would be felt.
  if (!(await stat(place.absolute)).isFile()) throw missing(`${place.relative} is no file of the workspace`);
  const handle = await openForReading(place.absolute);
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(Math.min(size, 8_192));
    await handle.read(head, 0, head.length, 0);
    if (isBinary(head)) throw notRight(`path: ${place.relative} is a binary file of ${size} bytes`);
    const shown = await linesFrom(linesOf(handle), query);
    return { path: place.relative, bytes: size, fromLine: query.fromLine, ...shown };
  } finally {
    await handle.close();
  }
}

/** Lines that match, of files that git does not ignore. */
export async function searchWorkspaceFiles(
  root: string,
  query: SearchFilesQuery,
  { git, signal }: { readonly git: Git; readonly signal: AbortSignal },
): Promise<FileSearchView> {
  const { pattern, regex: isRegex, limit } = query;
  if (isRegex) requireExpression(pattern);
  const place = await existing(root, query.path);
  const below = place.relative === '.' ? '' : `${place.relative}/`;
  const files = (await stat(place.absolute)).isFile()
    ? [place.relative]
    : (await listFolder(git, root)).filter((file) => file.startsWith(below));
  const search = { root, files, pattern, isRegex, ignoreCase: false, candidates: null, limit, contextLines: 0 };
  const found = await searchWithin(search, { timeoutMs: searchMs, signal });
  if (found === 'timed-out') throw notRight(`pattern: the search took more than ${searchMs / 1000} s`);
  return {
    matches: found.lines.map(({ path, line, text }) => ({
      path,
      line,
      text: text.slice(0, longestMatch).toWellFormed(),
    })),
    limited: found.limited,
  };
}

async function existing(root: string, path: string): Promise<WorkspacePath> {
  const place = await resolveWorkspacePath({ root, mainCheckout: null }, path, 'read');
  if (place.relative.split(sep).some((part) => part.toLowerCase() === '.git')) {
    throw new CodetetherError('path-outside-workspace', `${JSON.stringify(path)} belongs to git's own data`);
  }
  const isThere = await stat(place.absolute).then(
    () => true,
    () => false,
  );
  if (isThere) return place;
  throw missing(`there is no ${place.relative} in the workspace`);
}

async function linesFrom(
  lines: AsyncIterable<{ readonly text: string }>,
  { fromLine, lines: wanted }: ReadFileQuery,
): Promise<Pick<FileView, 'text' | 'next'>> {
  const shown: string[] = [];
  let characters = 0;
  let at = 0;
  for await (const { text } of lines) {
    at += 1;
    if (at < fromLine) continue;
    characters += text.length + 1;
    const isFull = shown.length === wanted || (characters > mostCharacters && shown.length > 0);
    if (isFull) return { text: shown.join('\n'), next: at };
    shown.push(text);
  }
  return { text: shown.join('\n'), next: null };
}

function kindOf(entry: Dirent): FileListView['entries'][number]['kind'] {
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isDirectory()) return 'folder';
  return entry.isFile() ? 'file' : 'other';
}

function requireExpression(pattern: string): void {
  try {
    RegExp(pattern);
  } catch (error) {
    throw notRight(`pattern: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function missing(what: string): CodetetherError {
  return new CodetetherError('not-found', what, { next: 'List a folder to see what there is.' });
}

function notRight(problem: string): CodetetherError {
  return new CodetetherError('request-invalid', undefined, { problems: [problem] });
}
