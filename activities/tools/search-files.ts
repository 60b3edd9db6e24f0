import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { errorNumber } from './tool.ts';
import { isBinary, openForReading } from './text-file.ts';

/** Larger files are skipped and counted. */
export const maxSearchedBytes = 1024 * 1024;

export interface FileSearch {
  readonly root: string;
  /** Relative to `root`. */
  readonly files: readonly string[];
  readonly pattern: string;
  readonly isRegex: boolean;
  /** Of expressions only. */
  readonly ignoreCase: boolean;
  /** Only these of the files can have a match; null: any. */
  readonly candidates: ReadonlySet<string> | null;
  /** Stops after this many matching lines. */
  readonly limit: number;
  /** Lines to give before and after each match. */
  readonly contextLines: number;
}

export interface FoundLine {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly isMatch: boolean;
}

export interface FileSearchResult {
  /** By file, then by line; between two groups of context lines there is a gap in the numbers. */
  readonly lines: readonly FoundLine[];
  readonly matches: number;
  /** There may be more than `limit`. */
  readonly limited: boolean;
  /** Binary files that have a match; it is not shown. */
  readonly matchingBinary: number;
  readonly skippedLarge: number;
}

/**
 * Searches line by line; files that vanish meanwhile count as not there. Never follows links.
 * Throws the signal's reason when that aborts, between two files.
 */
export async function searchFiles(search: FileSearch, signal?: AbortSignal): Promise<FileSearchResult> {
  const matches = lineMatcher(search);
  const lines: FoundLine[] = [];
  let found = 0;
  let matchingBinary = 0;
  let skippedLarge = 0;
  for (const path of search.files) {
    signal?.throwIfAborted();
    const file = join(search.root, path);
    const mayMatch = search.candidates === null || search.candidates.has(path);
    const text = mayMatch ? await readSearchable(file) : isLarge(file) ? 'large' : 'none';
    if (text === 'large') skippedLarge += 1;
    else if (text !== 'none' && text.isBinary) matchingBinary += text.content.split('\n').some(matches) ? 1 : 0;
    else if (text !== 'none') {
      const inFile = linesOfFile({
        path,
        text: text.content,
        matches,
        contextLines: search.contextLines,
        limit: search.limit - found + 1,
      });
      found += inFile.matches;
      lines.push(...inFile.lines);
      if (found > search.limit) break;
    }
  }
  const limited = found > search.limit;
  return {
    lines: limited ? untilMatch(lines, search.limit) : lines,
    matches: Math.min(found, search.limit),
    limited,
    matchingBinary,
    skippedLarge,
  };
}

function lineMatcher(search: FileSearch): (line: string) => boolean {
  if (!search.isRegex) return (line) => line.includes(search.pattern);
  const expression = new RegExp(search.pattern, search.ignoreCase ? 'i' : '');
  return (line) => expression.test(line);
}

type Searchable = { readonly content: string; readonly isBinary: boolean } | 'large' | 'none';

function isLarge(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true && stats.size > maxSearchedBytes;
}

async function readSearchable(path: string): Promise<Searchable> {
  try {
    const handle = await openForReading(path);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) return 'none';
      if (stats.size > maxSearchedBytes) return 'large';
      const bytes = await handle.readFile();
      return { content: bytes.toString('utf8'), isBinary: isBinary(bytes) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = errorNumber(error);
    if (code === undefined) throw error;
    // A link, a file without permission, a file deleted since git listed it.
    return 'none';
  }
}

function linesOfFile(file: {
  readonly path: string;
  readonly text: string;
  readonly matches: (line: string) => boolean;
  readonly contextLines: number;
  readonly limit: number;
}): { readonly lines: readonly FoundLine[]; readonly matches: number } {
  const all = file.text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (all.at(-1) === '') all.pop();
  const hits: number[] = [];
  for (const [index, line] of all.entries()) {
    if (!file.matches(line)) continue;
    hits.push(index);
    if (hits.length >= file.limit) break;
  }
  const matched = new Set(hits);
  const wanted = new Set<number>();
  for (const hit of hits)
    for (
      let index = Math.max(0, hit - file.contextLines);
      index <= Math.min(all.length - 1, hit + file.contextLines);
      index += 1
    )
      wanted.add(index);
  const lines = [...wanted].map((index) => ({
    path: file.path,
    line: index + 1,
    text: all[index] ?? '',
    isMatch: matched.has(index),
  }));
  return { lines, matches: hits.length };
}

function untilMatch(lines: readonly FoundLine[], limit: number): FoundLine[] {
  let matches = 0;
  const end = lines.findIndex((line) => line.isMatch && ++matches > limit);
  return lines.slice(0, end === -1 ? lines.length : end);
}
