import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { maxOutputCharacters, plainText } from './output-text.ts';
import { linesOf, type Line } from './file-lines.ts';
import { isBinary, maxWholeFileBytes, openForReading, similarNames } from './text-file.ts';
import { defineTool, errorNumber, failure, success, type Tool, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

const maxLineLength = 2000;
/** Room for the closing note. */
const maxShownCharacters = maxOutputCharacters - 500;

export function createReadTool(): Tool {
  return defineTool({
    name: 'read',
    risk: 'read',
    description:
      'Reads a text file of the workspace with line numbers. Long files are cut at a whole line; the last line of the ' +
      'result says with which offset to go on. Binary files are refused.',
    input: z.object({
      path: z.string().min(1).describe('File, relative to the workspace'),
      offset: z.int().min(1).optional().describe('First line to show, from 1'),
      limit: z.int().min(1).optional().describe('Lines to show'),
    }),
    label: ({ path, offset }) => (offset === undefined ? path : `${path} from line ${offset}`),
    run: async ({ path, offset, limit }, { workspace }) => {
      const file = await resolveWorkspacePath(workspace, path, 'read');
      try {
        return await readLines(file, { offset, limit });
      } catch (error) {
        if (errorNumber(error) !== 'ENOENT') throw error;
        return notFound(file);
      }
    },
  });
}

async function readLines(
  file: WorkspacePath,
  range: { readonly offset: number | undefined; readonly limit: number | undefined },
): Promise<ToolOutcome> {
  const handle = await openForReading(file.absolute);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) return failure(`${file.relative} is a folder; use list`);
    if (!stats.isFile()) return failure(`${file.relative} is not a regular file`);
    if (stats.size === 0) return success(`(${file.relative} is empty)`);
    const head = Buffer.alloc(Math.min(stats.size, 8192));
    await handle.read(head, 0, head.length, 0);
    if (isBinary(head)) return failure(`${file.relative} is a binary file of ${stats.size} bytes`);
    if (stats.size > maxWholeFileBytes && range.offset === undefined && range.limit === undefined)
      return failure(
        `${file.relative} has ${stats.size} bytes, which is too much to read at once; give offset and limit, or use grep`,
      );
    return await numberedLines(file, linesOf(handle), { ...range, whole: stats.size <= maxWholeFileBytes });
  } finally {
    await handle.close();
  }
}

async function numberedLines(
  file: WorkspacePath,
  lines: AsyncIterable<Line>,
  range: {
    readonly offset: number | undefined;
    readonly limit: number | undefined;
    /** Read on to the end, to know how many lines there are. */
    readonly whole: boolean;
  },
): Promise<ToolOutcome> {
  const first = range.offset ?? 1;
  const last = range.limit === undefined ? Infinity : first + range.limit - 1;
  const shown: string[] = [];
  let characters = 0;
  let full = false;
  let total = 0;
  let more = false;
  for await (const line of lines) {
    full ||= total >= last;
    if (full && !range.whole) {
      more = true;
      break;
    }
    total += 1;
    if (total < first || full) continue;
    const numbered = `${String(total).padStart(4)}| ${shortLine(line)}`;
    full = shown.length > 0 && characters + numbered.length + 1 > maxShownCharacters;
    if (full) continue;
    shown.push(numbered);
    characters += numbered.length + 1;
  }
  if (shown.length === 0) return failure(`${file.relative} has ${total} lines; offset ${first} is past its end`);
  const end = first + shown.length - 1;
  if (end < total || more)
    shown.push(`[lines ${first} to ${end} of ${more ? 'more' : total}; go on with offset=${end + 1}]`);
  return success(shown.join('\n'));
}

function shortLine(line: Line): string {
  const plain = plainText(line.text);
  const hidden = line.length - Math.min(line.text.length, maxLineLength);
  if (line.text.length <= maxLineLength) return plain;
  return `${plain.slice(0, maxLineLength)} [… ${hidden} more characters in this line; see them with bash: cut -c]`.toWellFormed();
}

async function notFound(file: WorkspacePath): Promise<ToolOutcome> {
  const similar = (await similarNames(file.absolute)).filter((name) => name !== basename(file.absolute));
  const hint =
    similar.length === 0 ? '' : `; there is ${similar.map((name) => join(dirname(file.relative), name)).join(', ')}`;
  return failure(`there is no file ${file.relative}${hint}`);
}
