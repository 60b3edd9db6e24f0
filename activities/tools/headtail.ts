import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { linesOf } from './file-lines.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { isBinary, openForReading } from './text-file.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const maxLines = 1000;
const maxLineLength = 300;
/** The end of a file is looked for within so many bytes. */
const maxTailBytes = 1024 * 1024;

export function createHeadTailTool(): Tool {
  const count = z.int().min(0).max(maxLines);
  return defineTool({
    name: 'headtail',
    risk: 'read',
    description: 'Shows the first and last lines of a text file, however large it is.',
    input: z.object({
      path: z.string().min(1).describe('File, relative to the workspace'),
      head: count.default(10).describe('Lines of its beginning'),
      tail: count.default(10).describe('Lines of its end'),
    }),
    label: ({ path }) => path,
    run: async ({ path, head, tail }, { workspace }) => {
      const file = await resolveWorkspacePath(workspace, path, 'read');
      const handle = await openForReading(file.absolute);
      try {
        const stats = await handle.stat();
        if (!stats.isFile()) return failure(`${file.relative} is not a regular file`);
        const start = Buffer.alloc(Math.min(stats.size, 8192));
        await handle.read(start, 0, start.length, 0);
        if (isBinary(start)) return failure(`${file.relative} is a binary file of ${stats.size} bytes`);
        const last = await lastLines(handle, stats.size, tail);
        const first = await firstLines(handle, head);
        const parts = [
          ...(head > 0 ? [`first lines of ${file.relative} (${stats.size} bytes):`, ...first] : []),
          ...(tail > 0 ? ['last lines:', ...last] : []),
        ];
        return success(
          limitText(parts.join('\n'), { maxCharacters: maxOutputCharacters, advice: 'ask for fewer lines' }),
        );
      } finally {
        await handle.close();
      }
    },
  });
}

async function firstLines(handle: FileHandle, count: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const { text } of linesOf(handle)) {
    if (lines.length >= count) break;
    lines.push(shown(text));
  }
  return lines;
}

async function lastLines(handle: FileHandle, size: number, count: number): Promise<string[]> {
  const bytes = Buffer.alloc(Math.min(size, maxTailBytes));
  await handle.read(bytes, 0, bytes.length, size - bytes.length);
  const lines = bytes.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  // The first of them may have begun before what was read.
  if (size > bytes.length && lines.length > 1) lines.shift();
  return count === 0 ? [] : lines.slice(-count).map(shown);
}

function shown(line: string): string {
  const plain = plainText(line);
  return plain.length <= maxLineLength ? plain : `${plain.slice(0, maxLineLength)}…`.toWellFormed();
}
