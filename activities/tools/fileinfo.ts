import { lstat, readlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { usesCrlf } from './edit-text.ts';
import { cleanLine } from './output-text.ts';
import { isBinary, openForReading } from './text-file.ts';
import { defineTool, success, type Tool } from './tool.ts';
import { resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

/** Lines of larger files are not counted. */
const maxCountedBytes = 10 * 1024 * 1024;

export function createFileInfoTool(): Tool {
  return defineTool({
    name: 'fileinfo',
    risk: 'read',
    description: 'Says what a file or folder is: kind, size, mode, last change, and of a text its lines and line ends.',
    input: z.object({ path: z.string().min(1).describe('File or folder, relative to the workspace') }),
    label: ({ path }) => path,
    run: async ({ path }, { workspace }) => {
      const file = await resolveWorkspacePath(workspace, path, 'read');
      const stats = await lstat(file.absolute);
      const kind = stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'neither file nor folder';
      const lines = [
        `${cleanLine(file.relative, 1000)}: ${kind}`,
        ...(await linkNote(resolve(workspace.root, path))),
        `mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}`,
        `changed ${stats.mtime.toISOString()}`,
        ...(stats.isFile() ? [`${stats.size} bytes`, ...(await contentNotes(file, stats.size))] : []),
      ];
      return success(lines.join('\n'));
    },
  });
}

async function linkNote(named: string): Promise<readonly string[]> {
  const stats = await lstat(named);
  return stats.isSymbolicLink() ? [`reached through a link to ${cleanLine(await readlink(named), 1000)}`] : [];
}

async function contentNotes(file: WorkspacePath, size: number): Promise<readonly string[]> {
  const handle = await openForReading(file.absolute);
  try {
    const head = Buffer.alloc(Math.min(size, 8192));
    await handle.read(head, 0, head.length, 0);
    if (isBinary(head)) return ['binary'];
    if (size > maxCountedBytes) return ['text; too large for counting lines'];
    const text = await handle.readFile('utf8');
    const count = text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    const ends = usesCrlf(text) ? ['lines end in CRLF'] : text.includes('\r\n') ? ['some lines end in CRLF'] : [];
    const last = text === '' || text.endsWith('\n') ? [] : ['the last line has no end'];
    return [`text, ${count} lines`, ...ends, ...last];
  } finally {
    await handle.close();
  }
}
