import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from './text-file.ts';
import { changed, defineTool, failure, success, type Tool } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

export function createWriteTool(): Tool {
  return defineTool({
    name: 'write',
    risk: 'write',
    description:
      'Writes a whole file of the workspace, replacing what is there; makes missing folders. To change part of a file ' +
      'use edit.',
    input: z.object({
      path: z.string().min(1).describe('File, relative to the workspace'),
      content: z.string().describe('The whole new content'),
    }),
    label: ({ path }) => path,
    run: async ({ path, content }, { workspace }) => {
      const file = await resolveWorkspacePath(workspace, path, 'write');
      const before = await contentOf(file.absolute);
      if (before === 'not-a-file') return failure(`${file.relative} is not a regular file`);
      const after = Buffer.from(content, 'utf8');
      if (before !== 'missing' && before.equals(after)) return success(`${file.relative} has this content already`);
      await mkdir(dirname(file.absolute), { recursive: true });
      await writeFileAtomically(file.absolute, after);
      const size = `${countLines(content)} lines, ${after.length} bytes`;
      return changed(`${before === 'missing' ? 'created' : 'replaced'} ${file.relative} (${size})`, [
        { ...file, change: before === 'missing' ? 'added' : 'changed' },
      ]);
    },
  });
}

async function contentOf(path: string): Promise<Buffer | 'missing' | 'not-a-file'> {
  try {
    if (!(await stat(path)).isFile()) return 'not-a-file';
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'missing';
    throw error;
  }
}

function countLines(text: string): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}
