import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const maxEntries = 500;

export function createTreeTool(): Tool {
  return defineTool({
    name: 'tree',
    risk: 'read',
    description:
      'Shows folders and files that git does not ignore as a tree; folders deeper than depth with their number of files.',
    input: z.object({
      path: z.string().min(1).default('.').describe('Folder, relative to the workspace'),
      depth: z.int().min(1).max(20).default(3).describe('Levels of folders to show'),
      show_size: z.boolean().default(false).describe('Show the bytes of each file'),
    }),
    label: ({ path }) => path,
    run: async ({ path, depth, show_size }, { workspace, listFiles }) => {
      const folder = await resolveWorkspacePath(workspace, path, 'read');
      if (!(await stat(folder.absolute)).isDirectory()) return failure(`${folder.relative} is a file; use read`);
      const below = folder.relative === '.' ? '' : `${folder.relative}/`;
      const files = (await listFiles())
        .filter((file) => file.startsWith(below))
        .map((file) => file.slice(below.length));
      if (files.length === 0) return success(`(${folder.relative} has no files that git does not ignore)`);
      const entries = entriesOf(files, depth);
      const lines: string[] = [];
      for (const entry of entries.slice(0, maxEntries)) {
        const size = show_size && !entry.isFolder ? await sizeNote(join(folder.absolute, entry.path)) : '';
        const name = cleanLine(entry.path.slice(entry.path.lastIndexOf('/') + 1), 300);
        const hidden = entry.hiddenFiles > 0 ? ` (${entry.hiddenFiles} files)` : '';
        lines.push(`${'  '.repeat(entry.level)}${name}${entry.isFolder ? '/' : ''}${hidden}${size}`);
      }
      if (entries.length > maxEntries)
        lines.push(`[${entries.length - maxEntries} more of ${entries.length} entries; give a path or less depth]`);
      return success(lines.join('\n'));
    },
  });
}

interface Entry {
  readonly path: string;
  readonly level: number;
  readonly isFolder: boolean;
  /** Files of a folder that is not opened. */
  hiddenFiles: number;
}

/** @param files sorted, relative to the folder that is shown */
function entriesOf(files: readonly string[], depth: number): Entry[] {
  const entries = new Map<string, Entry>();
  for (const file of files) {
    const parts = file.split('/');
    for (let level = 0; level < Math.min(parts.length, depth); level += 1) {
      const path = parts.slice(0, level + 1).join('/');
      const isFolder = level < parts.length - 1;
      const entry = entries.get(path) ?? { path, level, isFolder, hiddenFiles: 0 };
      if (isFolder && level === depth - 1) entry.hiddenFiles += 1;
      entries.set(path, entry);
    }
  }
  return [...entries.values()];
}

async function sizeNote(path: string): Promise<string> {
  try {
    return `  ${(await stat(path)).size}`;
  } catch {
    // Deleted since git listed it, or a link to nowhere.
    return '  (gone)';
  }
}
