import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const maxEntries = 500;

export function createListTool(): Tool {
  return defineTool({
    name: 'list',
    risk: 'read',
    description: 'Lists one folder of the workspace: folders end in /, links in @ with where they lead.',
    input: z.object({ path: z.string().min(1).default('.').describe('Folder, relative to the workspace') }),
    label: ({ path }) => path,
    run: async ({ path }, { workspace }) => {
      const folder = await resolveWorkspacePath(workspace, path, 'read');
      if (!(await stat(folder.absolute)).isDirectory()) return failure(`${folder.relative} is a file; use read`);
      const entries = (await readdir(folder.absolute, { withFileTypes: true }))
        .filter((entry) => !(folder.relative === '.' && entry.name === '.git'))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
      if (entries.length === 0) return success(`(${folder.relative} is empty)`);
      const lines: string[] = [];
      for (const entry of entries.slice(0, maxEntries)) {
        const name = cleanLine(entry.name, 300);
        if (entry.isDirectory()) lines.push(`${name}/`);
        else if (entry.isSymbolicLink())
          lines.push(`${name}@ -> ${cleanLine(await readlink(join(folder.absolute, entry.name)), 300)}`);
        else lines.push(name);
      }
      if (entries.length > maxEntries)
        lines.push(`[${entries.length - maxEntries} more of ${entries.length} entries; narrow it with glob]`);
      return success(lines.join('\n'));
    },
  });
}
