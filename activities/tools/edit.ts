import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { editText, type EditResult } from './edit-text.ts';
import { plainText } from './output-text.ts';
import { editableText, isBinary, maxWholeFileBytes, openForReading, writeFileAtomically } from './text-file.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const contextLines = 3;
const maxSnippetLines = 40;

export function createEditTool(): Tool {
  return defineTool({
    name: 'edit',
    risk: 'write',
    description:
      'Replaces old_string by new_string in a file. old_string must be copied exactly from the file, with its ' +
      'indentation and without line numbers, and must be there only once, unless replace_all is set.',
    input: z.object({
      path: z.string().min(1).describe('File, relative to the workspace'),
      old_string: z.string().describe('The text to replace'),
      new_string: z.string().describe('What stands there afterwards'),
      replace_all: z.boolean().default(false).describe('Replace every place instead of the only one'),
    }),
    label: ({ path }) => path,
    run: async ({ path, old_string, new_string, replace_all }, { workspace }) => {
      const file = await resolveWorkspacePath(workspace, path, 'write');
      const stats = await stat(file.absolute);
      if (!stats.isFile()) return failure(`${file.relative} is not a regular file`);
      if (stats.size > maxWholeFileBytes)
        return failure(`${file.relative} has ${stats.size} bytes, too much for edit; use bash`);
      const bytes = await readBytes(file.absolute);
      if (isBinary(bytes)) return failure(`${file.relative} is a binary file of ${bytes.length} bytes`);
      const source = editableText(bytes);
      const result = editText({
        text: source.text,
        oldText: source.asInFile(old_string),
        newText: source.asInFile(new_string),
        replaceAll: replace_all,
      });
      if (result.kind !== 'edited') return failure(explain(file.relative, result));
      const content = source.encode(result.text);
      await writeFileAtomically(file.absolute, content);
      return success(describe(file.relative, result, content.toString('utf8')));
    },
  });
}

async function readBytes(path: string): Promise<Buffer> {
  const handle = await openForReading(path);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
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

function describe(path: string, result: Extract<EditResult, { kind: 'edited' }>, text: string): string {
  const what = result.replacements === 1 ? `edited ${path}` : `replaced ${result.replacements} places in ${path}`;
  const how =
    result.match === 'exact'
      ? ''
      : ' (old_string was not exactly in the file; this block differed only in indentation or trailing blanks, check it)';
  const lines = text.split('\n');
  const first = Math.max(1, result.line - contextLines);
  const last = Math.min(lines.length, result.line + Math.min(result.lineCount, maxSnippetLines) - 1 + contextLines);
  const snippet = lines
    .slice(first - 1, last)
    .map((line, index) => `${String(first + index).padStart(4)}| ${plainText(line).slice(0, 300)}`);
  return `${what}${how}\n${snippet.join('\n')}`;
}
