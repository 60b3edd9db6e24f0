import { z } from 'zod';
import { plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext } from './tool.ts';
import { resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

/** Larger files count as binary: their difference would not fit anyway. */
export const textLimit = ['-c', 'core.bigFileThreshold=10m'];
const plainDiff = ['--no-color', '--no-ext-diff', '--no-textconv'];

export function createDiffTool(): Tool {
  return defineTool({
    name: 'diff',
    risk: 'read',
    description:
      'Compares two files, or (without file2) a file or the whole workspace with its last commit; new files are named, not shown.',
    input: z.object({
      file1: z.string().min(1).optional().describe('File, relative to the workspace'),
      file2: z.string().min(1).optional().describe('File to compare it with'),
      staged: z.boolean().default(false).describe('Only what is staged'),
      context: z.int().min(0).max(50).default(3).describe('Lines to show around each change'),
    }),
    label: ({ file1, file2 }) => [file1, file2].filter((name) => name !== undefined).join(' '),
    run: async ({ file1, file2, staged, context }, toolContext) => {
      if (file1 === undefined && file2 !== undefined) return failure('file2 is given without file1');
      const find = (path: string): Promise<WorkspacePath> => resolveWorkspacePath(toolContext.workspace, path, 'read');
      const unified = `-U${context}`;
      if (file1 !== undefined && file2 !== undefined) {
        const sides = [(await find(file1)).absolute, (await find(file2)).absolute];
        const { stdout } = await toolContext.git(
          [...textLimit, 'diff', '--no-index', ...plainDiff, unified, '--', ...sides],
          { accept: [1] },
        );
        return success(stdout === '' ? 'the files are the same' : plainText(stdout).trimEnd());
      }
      const place = file1 === undefined ? '.' : (await find(file1)).relative;
      return success(await workspaceDiff(toolContext, { place, staged, unified }));
    },
  });
}

/** Changes since the last commit, as `git diff` shows them, with the names of new files. */
export async function workspaceDiff(
  context: ToolContext,
  options: { readonly place: string; readonly staged: boolean; readonly unified: string },
): Promise<string> {
  const place = `:(literal)${options.place}`;
  const { stdout } = await context.git([
    ...textLimit,
    'diff',
    ...plainDiff,
    options.unified,
    ...(options.staged ? ['--cached'] : []),
    'HEAD',
    '--',
    place,
  ]);
  const fresh = options.staged
    ? ''
    : (await context.git(['ls-files', '-z', '--others', '--exclude-standard', '--', place])).stdout;
  const names = fresh.split('\0').filter((name) => name !== '');
  const news =
    names.length === 0
      ? []
      : [
          `new files, not staged: ${names.slice(0, 100).join(', ')}${names.length > 100 ? ` and ${names.length - 100} more` : ''}`,
        ];
  const parts = [...(stdout === '' ? [] : [plainText(stdout).trimEnd()]), ...news];
  return parts.length === 0 ? 'no changes since the last commit' : parts.join('\n');
}
