import { z } from 'zod';
import { defineTool, success, type Tool } from './tool.ts';

/** Reads what `todowrite` left in the transcript. */
export function createTodoReadTool(): Tool {
  return defineTool({
    name: 'todoread',
    risk: 'read',
    description: 'Shows your list of things to do as todowrite left it.',
    input: z.object({}),
    label: () => '',
    run: async (_input, { session }) => {
      const rows = await session.events();
      const last = rows.findLast((row) => row.kind === 'tool-result' && row.body.tool === 'todowrite' && row.body.ok);
      return success(last?.kind === 'tool-result' ? last.body.output : '(there is no list yet; todowrite makes one)');
    },
  });
}
