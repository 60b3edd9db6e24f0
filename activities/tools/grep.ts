import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { pathMatcher } from './match-path.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { maxSearchedBytes, type FileSearch, type FileSearchResult } from './search-files.ts';
import { searchWithin } from './search-thread.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const timeoutMs = 15_000;
const maxLineLength = 300;

export function createGrepTool(): Tool {
  return defineTool({
    name: 'grep',
    risk: 'read',
    description:
      'Searches the files of the workspace that git does not ignore, line by line, and answers `path:line: text`. ' +
      'The pattern is plain text unless is_regex is set (JavaScript regular expression, case-sensitive).',
    input: z.object({
      pattern: z.string().min(1).describe('What to find within one line'),
      path: z.string().min(1).default('.').describe('Folder or file to search, relative to the workspace'),
      is_regex: z.boolean().default(false).describe('Take the pattern as a regular expression'),
      include: z.string().min(1).max(1000).optional().describe('Only files that match this glob, such as *.ts'),
      limit: z.int().min(1).max(500).default(50).describe('Most matching lines to show'),
      context: z.int().min(0).max(20).default(0).describe('Lines to show before and after each match'),
    }),
    label: ({ pattern, path }) => (path === '.' ? pattern : `${pattern} in ${path}`),
    run: async ({ pattern, path, is_regex, include, limit, context }, toolContext) => {
      const problem = is_regex ? expressionProblem(pattern) : null;
      if (problem !== null) return failure(`the regular expression is not right: ${problem}`);
      const matches = include === undefined ? () => true : pathMatcher(include);
      if (matches === null) return failure('include has too many alternatives; use fewer braces');
      const files = await filesBelow(path, matches, toolContext);
      const search = { root: toolContext.workspace.root, files, pattern, limit, contextLines: context };
      const time = { timeoutMs, signal: toolContext.signal };
      if (!is_regex) {
        const found = await searchWithin({ ...search, isRegex: false }, time);
        if (found === 'timed-out')
          return failure(`the search took more than ${timeoutMs / 1000} s; search fewer files`);
        if (found.matches > 0 || !looksLikeExpression(pattern)) return report(search, found, '');
      }
      const found = await searchWithin({ ...search, isRegex: true }, time);
      if (found === 'timed-out')
        return failure(
          `the regular expression took more than ${timeoutMs / 1000} s; make it simpler, or search fewer files`,
        );
      const guessed = '[as plain text there is no match; these match it as a regular expression]\n';
      return report(search, found, is_regex || found.matches === 0 ? '' : guessed);
    },
  });
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

function report(search: Omit<FileSearch, 'isRegex'>, found: FileSearchResult, preface: string): ToolOutcome {
  const skipped = [
    found.skippedBinary > 0 ? `${found.skippedBinary} binary` : '',
    found.skippedLarge > 0 ? `${found.skippedLarge} larger than ${maxSearchedBytes / 1024 / 1024} MiB` : '',
  ].filter((part) => part !== '');
  const notices = [
    found.limited ? `[the first ${found.matches} matching lines; narrow the search or raise limit]` : '',
    skipped.length > 0 ? `[files skipped: ${skipped.join(', ')}]` : '',
  ].filter((part) => part !== '');
  if (found.matches === 0) return success([`no match in ${search.files.length} files`, ...notices].join('\n'));
  let previous: { path: string; line: number } | null = null;
  const shown: string[] = [];
  for (const line of found.lines) {
    const follows: boolean = previous !== null && previous.path === line.path && previous.line + 1 === line.line;
    if (search.contextLines > 0 && previous !== null && !follows) shown.push('--');
    const mark = line.isMatch ? ':' : '-';
    shown.push(`${plainText(line.path)}${mark}${line.line}${mark} ${shortLine(line.text)}`);
    previous = line;
  }
  const text = limitText(`${preface}${shown.join('\n')}`, {
    maxCharacters: maxOutputCharacters - 500,
    advice: 'narrow the search with path, include or limit',
  });
  return success([text, ...notices].join('\n'));
}

function shortLine(text: string): string {
  const plain = plainText(text);
  return plain.length <= maxLineLength ? plain : `${plain.slice(0, maxLineLength)}…`.toWellFormed();
}
