import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { pathMatcher } from './match-path.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { requiredTexts } from './required-text.ts';
import { filesWithText, findRipgrep } from './ripgrep.ts';
import { maxSearchedBytes, type FileSearch, type FileSearchResult } from './search-files.ts';
import { searchWithin } from './search-thread.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const timeoutMs = 15_000;
const maxLineLength = 300;
/** With fewer files it takes longer to start ripgrep than to look. */
const defaultRipgrepFromFiles = 200;

export interface SearchOptions {
  /** From so many files on ripgrep is asked which of them to look at; what is found is the same. */
  readonly ripgrepFromFiles?: number;
}

const place = {
  path: z.string().min(1).default('.').describe('Folder or file to search, relative to the workspace'),
};
const include = z.string().min(1).max(1000).optional();

export function createGrepTool(options: SearchOptions = {}): Tool {
  return defineTool({
    name: 'grep',
    risk: 'read',
    description:
      'Searches the files of the workspace that git does not ignore, line by line, and answers `path:line: text`. ' +
      'The pattern is plain text unless is_regex is set (JavaScript regular expression, case-sensitive).',
    input: z.object({
      pattern: z.string().min(1).describe('What to find within one line'),
      ...place,
      is_regex: z.boolean().default(false).describe('Take the pattern as a regular expression'),
      include: include.describe('Only files that match this glob, such as *.ts'),
      limit: z.int().min(1).max(500).default(50).describe('Most matching lines to show'),
      context: z.int().min(0).max(20).default(0).describe('Lines to show before and after each match'),
    }),
    label: ({ pattern, path }) => (path === '.' ? pattern : `${pattern} in ${path}`),
    run: async ({ pattern, path, is_regex, include, limit, context }, toolContext) => {
      const search = { pattern, path, include, limit, contextLines: context, ignoreCase: false };
      if (is_regex) return searchFor({ ...search, isRegex: true }, toolContext, options);
      const plain = await searchFor({ ...search, isRegex: false }, toolContext, options);
      if (!plain.output.startsWith(noMatch) || !looksLikeExpression(pattern)) return plain;
      const guessed = await searchFor({ ...search, isRegex: true }, toolContext, options);
      if (!guessed.ok || guessed.output.startsWith(noMatch)) return guessed;
      const preface = '[as plain text there is no match; these match it as a regular expression]';
      return success(`${preface}\n${guessed.output}`);
    },
  });
}

export function createCodeSearchTool(options: SearchOptions = {}): Tool {
  return defineTool({
    name: 'codesearch',
    risk: 'read',
    description:
      'Searches like grep, by a regular expression, whatever the case of letters, with lines around each match.',
    input: z.object({
      pattern: z.string().min(1).describe('JavaScript regular expression'),
      ...place,
      file_pattern: include.describe('Only files that match this glob, such as *.ts'),
      context_lines: z.int().min(0).max(20).default(2).describe('Lines to show before and after each match'),
      case_sensitive: z.boolean().default(false),
    }),
    label: ({ pattern, path }) => (path === '.' ? pattern : `${pattern} in ${path}`),
    run: async ({ pattern, path, file_pattern, context_lines, case_sensitive }, toolContext) => {
      const search = { pattern, path, include: file_pattern, limit: 50, contextLines: context_lines };
      return searchFor({ ...search, isRegex: true, ignoreCase: !case_sensitive }, toolContext, options);
    },
  });
}

interface Wanted extends Pick<FileSearch, 'pattern' | 'isRegex' | 'ignoreCase' | 'limit' | 'contextLines'> {
  readonly path: string;
  readonly include: string | undefined;
}

const noMatch = 'no match in ';

async function searchFor(wanted: Wanted, context: ToolContext, options: SearchOptions): Promise<ToolOutcome> {
  const { pattern, path, include, isRegex, ignoreCase, limit, contextLines } = wanted;
  const problem = isRegex ? expressionProblem(pattern) : null;
  if (problem !== null) return failure(`the regular expression is not right: ${problem}`);
  const matches = include === undefined ? () => true : pathMatcher(include);
  if (matches === null) return failure('the glob has too many alternatives; use fewer braces');
  const files = await filesBelow(path, matches, context);
  const { root } = context.workspace;
  const candidates = await candidatesOf({ ...wanted, root, files }, context, options);
  const search = { root, files, candidates, pattern, isRegex, ignoreCase, limit, contextLines };
  const found = await searchWithin(search, { timeoutMs, signal: context.signal });
  if (found !== 'timed-out') return report(search, found);
  const seconds = timeoutMs / 1000;
  return failure(
    isRegex
      ? `the regular expression took more than ${seconds} s; make it simpler, or search fewer files`
      : `the search took more than ${seconds} s; search fewer files`,
  );
}

async function candidatesOf(
  search: Pick<FileSearch, 'root' | 'files' | 'pattern' | 'isRegex' | 'ignoreCase'>,
  { runCommand, signal }: ToolContext,
  { ripgrepFromFiles = defaultRipgrepFromFiles }: SearchOptions,
): Promise<ReadonlySet<string> | null> {
  if (search.files.length < ripgrepFromFiles) return null;
  const texts = requiredTexts(search);
  if (texts === null) return null;
  const found = await filesWithText({ ...search, texts }, { ripgrep: await findRipgrep(), runCommand, signal });
  return found === null ? null : new Set(found);
}

async function filesBelow(
  path: string,
  matches: (file: string) => boolean,
  { workspace, listFiles }: ToolContext,
): Promise<readonly string[]> {
  const place = await resolveWorkspacePath(workspace, path, 'read');
  if ((await stat(place.absolute)).isFile()) return [place.relative];
  const below = place.relative === '.' ? '' : `${place.relative}/`;
  return (await listFiles()).filter((file) => file.startsWith(below) && matches(file));
}

function expressionProblem(pattern: string): string | null {
  try {
    RegExp(pattern);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function looksLikeExpression(pattern: string): boolean {
  return /[\\|*+?[(^$]/.test(pattern) && expressionProblem(pattern) === null;
}

function report(search: FileSearch, found: FileSearchResult): ToolOutcome {
  const { matchingBinary, skippedLarge } = found;
  const notices = [
    found.limited ? `[the first ${found.matches} matching lines; narrow the search or raise limit]` : '',
    matchingBinary > 0 ? `[${matchingBinary} binary ${matchingBinary === 1 ? 'file matches' : 'files match'}]` : '',
    skippedLarge > 0 ? `[files skipped: ${skippedLarge} larger than ${maxSearchedBytes / 1024 / 1024} MiB]` : '',
  ].filter((part) => part !== '');
  if (found.matches === 0) return success([`${noMatch}${search.files.length} files`, ...notices].join('\n'));
  let previous: { path: string; line: number } | null = null;
  const shown: string[] = [];
  for (const line of found.lines) {
    const follows: boolean = previous !== null && previous.path === line.path && previous.line + 1 === line.line;
    if (search.contextLines > 0 && previous !== null && !follows) shown.push('--');
    const mark = line.isMatch ? ':' : '-';
    shown.push(`${plainText(line.path)}${mark}${line.line}${mark} ${shortLine(line.text)}`);
    previous = line;
  }
  const text = limitText(shown.join('\n'), {
    maxCharacters: maxOutputCharacters - 500,
    advice: 'narrow the search with path, include or limit',
  });
  return success([text, ...notices].join('\n'));
}

function shortLine(text: string): string {
  const plain = plainText(text);
  return plain.length <= maxLineLength ? plain : `${plain.slice(0, maxLineLength)}…`.toWellFormed();
}
