import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { pathMatcher } from './match-path.ts';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';

export function createGlobTool(): Tool {
  return defineTool({
    name: 'glob',
    risk: 'read',
    description:
      'Finds files of the workspace by name: *.ts, src/**/*.test.js, {a,b}/*.md. Hidden files are included, files that git ignores are not.',
    input: z.object({
      pattern: z.string().min(1).max(1000).describe('Pattern; without a slash it is held against names in any folder'),
      limit: z.int().min(1).max(1000).default(100).describe('Most files to show'),
    }),
    label: ({ pattern }) => pattern,
    run: async ({ pattern, limit }, { workspace, listFiles }) => {
      const matches = pathMatcher(pattern);
      if (matches === null) return failure('the pattern has too many alternatives; use fewer braces');
      const found = (await listFiles()).filter(matches);
      const shown: string[] = [];
      let gone = 0;
      for (const path of found) {
        if (shown.length >= limit) break;
        // git's index still names files that were deleted.
        if (await exists(join(workspace.root, path))) shown.push(cleanLine(path, 1000));
        else gone += 1;
      }
      if (shown.length === 0) return success(`no file matches ${pattern}`);
      const more = found.length - gone - shown.length;
      if (more > 0) shown.push(`[${more} more; narrow the pattern or raise limit]`);
      return success(shown.join('\n'));
    },
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    return !(await lstat(path)).isDirectory();
  } catch {
    return false;
  }
}
