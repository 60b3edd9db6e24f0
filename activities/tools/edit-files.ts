import { editText, type EditMatch, type EditResult } from './edit-text.ts';
import { ignoredProblem, readForChange, resolveAll, type FileChange } from './file-changes.ts';
import { plainText } from './output-text.ts';
import { editableText, type EditableText } from './text-file.ts';
import type { ToolContext } from './tool.ts';
import type { WorkspacePath } from './workspace-path.ts';

export interface Edit {
  readonly path: string;
  readonly old_string: string;
  readonly new_string: string;
  readonly replace_all: boolean;
}

export type PlannedEdits =
  | {
      readonly kind: 'planned';
      /** One for each file, in the order of their first edits. */
      readonly changes: readonly FileChange[];
      /** What to say of each edit, with the lines around it. */
      readonly reports: readonly string[];
    }
  /** Nothing is to be changed; one message for each edit that is wrong. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

interface OpenFile {
  readonly file: WorkspacePath;
  readonly source: EditableText;
  text: string;
}

const contextLines = 3;
const maxSnippetLines = 40;

/** Works all edits out, those of one file on top of each other, and writes nothing. Throws Node's system errors. */
export async function planEdits(context: ToolContext, edits: readonly Edit[]): Promise<PlannedEdits> {
  const resolved = await resolveAll(
    context,
    edits.map(({ path }) => path),
  );
  const problems = [...resolved.problems];
  const open = new Map<string, OpenFile>();
  const reports: string[] = [];
  for (const [index, edit] of edits.entries()) {
    const file = resolved.files.get(edit.path);
    if (file === undefined) continue;
    const opened = open.get(file.absolute) ?? (await openFile(file));
    const which = edits.length === 1 ? '' : `edit ${index + 1}: `;
    if (typeof opened === 'string') {
      problems.push(`${which}${opened}`);
      continue;
    }
    open.set(file.absolute, opened);
    const result = editText({
      text: opened.text,
      oldText: opened.source.asInFile(edit.old_string),
      newText: opened.source.asInFile(edit.new_string),
      replaceAll: edit.replace_all,
    });
    if (result.kind === 'edited') {
      opened.text = result.text;
      reports.push(describe(file.relative, result, opened.source.encode(result.text).toString('utf8')));
    } else problems.push(`${which}${explain(file.relative, result)}`);
  }
  const files = [...open.values()];
  const ignored = await ignoredProblem(
    context,
    files.map(({ file }) => file),
  );
  if (ignored !== undefined) problems.push(ignored);
  if (problems.length > 0) return { kind: 'refused', problems };
  const changes = files.map(({ file, source, text }) => ({ file, content: source.encode(text) }));
  return { kind: 'planned', changes, reports };
}

async function openFile(file: WorkspacePath): Promise<OpenFile | string> {
  const read = await readForChange(file);
  if (read.kind === 'missing') return `${file.relative}: there is no such file or folder`;
  if (read.kind === 'refused') return read.reason;
  const source = editableText(read.bytes);
  return { file, source, text: source.text };
}

function explain(path: string, result: Exclude<EditResult, { kind: 'edited' }>): string {
  switch (result.kind) {
    case 'no-change':
      return `nothing to do in ${path}: old_string and new_string are the same`;
    case 'empty-old-text':
      return 'old_string is empty; use write to make a file, or give the text to replace';
    case 'ambiguous': {
      const lines = result.lines.slice(0, 20).join(', ');
      return `old_string is ${result.lines.length} times in ${path} (lines ${lines}); give more of the text around it, or set replace_all. Nothing was changed.`;
    }
    case 'not-found':
      return result.closest === null
        ? `old_string is not in ${path}; read the file and copy the text exactly. Nothing was changed.`
        : `old_string is not in ${path}. Nothing was changed. The closest is at line ${result.closest.line}:\n${plainText(result.closest.text)}`;
  }
}

const differences: Readonly<Record<Exclude<EditMatch, 'exact'>, string>> = {
  'trailing-blanks': 'blanks at line ends',
  indentation: 'the indentation of the whole block',
  blanks: 'the number of blanks',
};

function describe(path: string, result: Extract<EditResult, { kind: 'edited' }>, text: string): string {
  const what = result.replacements === 1 ? `edited ${path}` : `replaced ${result.replacements} places in ${path}`;
  const lines = text.split('\n');
  const first = Math.max(1, result.line - contextLines);
  const last = Math.min(lines.length, result.line + Math.min(result.lineCount, maxSnippetLines) - 1 + contextLines);
  const snippet = lines
    .slice(first - 1, last)
    .map((line, index) => `${String(first + index).padStart(4)}| ${plainText(line).slice(0, 300)}`);
  return `${what}${howFound(result)}\n${snippet.join('\n')}`;
}

/** Empty for an exact match. */
function howFound({ match, hadLineNumbers }: Extract<EditResult, { kind: 'edited' }>): string {
  const notes = [
    ...(hadLineNumbers ? ['the line numbers were taken off'] : []),
    ...(match === 'exact' ? [] : [`the block differed from old_string in ${differences[match]}`]),
  ];
  return notes.length === 0 ? '' : ` (match: ${match}; ${notes.join('; ')}; check it)`;
}
