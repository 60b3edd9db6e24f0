import { z } from 'zod';
import { changesDiff } from './change-diff.ts';
import { planEdits, type Edit } from './edit-files.ts';
import { applyChanges, changedFilesOf } from './file-changes.ts';
import { changed, defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';

const edit = {
  path: z.string().min(1).describe('File, relative to the workspace'),
  old_string: z.string().describe('The text to replace'),
  new_string: z.string().describe('What stands there afterwards'),
  replace_all: z.boolean().default(false).describe('Replace every place instead of the only one'),
};

const preview = z.boolean().default(false).describe('Only show the diff');

export function createEditTool(): Tool {
  return defineTool({
    name: 'edit',
    risk: 'write',
    riskOf: ({ preview }) => (preview ? 'read' : 'write'),
    description:
      'Replaces old_string by new_string in a file. old_string must be copied exactly from the file, with its ' +
      'indentation and without line numbers, and must be there only once, unless replace_all is set.',
    input: z.object({ ...edit, preview }),
    label: ({ path, preview }) => (preview ? `${path} (preview)` : path),
    run: async ({ preview, ...given }, context) => runEdits([given], preview, context),
  });
}

const maxEdits = 100;

export function createMultiEditTool(): Tool {
  return defineTool({
    name: 'multiedit',
    risk: 'write',
    riskOf: ({ preview }) => (preview ? 'read' : 'write'),
    description:
      'Makes several replacements, in one or more files, as edit does each: all of them or, when one is wrong, none. ' +
      'Edits of one file are made in order, each on the result of those before.',
    input: z.object({ edits: z.array(z.object(edit)).min(1).max(maxEdits), preview }),
    label: ({ edits, preview }) => {
      const files = [...new Set(edits.map(({ path }) => path))];
      return `${files.join(', ')} (${edits.length} edits${preview ? ', preview' : ''})`;
    },
    run: async ({ edits, preview }, context) => runEdits(edits, preview, context),
  });
}

async function runEdits(edits: readonly Edit[], preview: boolean, context: ToolContext): Promise<ToolOutcome> {
  const planned = await planEdits(context, edits);
  if (planned.kind === 'refused') {
    const heading = edits.length === 1 ? '' : 'nothing was changed:\n';
    return failure(`${heading}${planned.problems.join('\n')}`);
  }
  if (preview) {
    const diff = await changesDiff(context, planned.changes);
    const notes = planned.reports.map((report) => report.split('\n')[0]).filter((line) => line?.includes('(match: '));
    return success([`preview, nothing was changed${notes.map((note) => `\n${note}`).join('')}`, diff].join('\n'));
  }
  await applyChanges(planned.changes);
  return changed(planned.reports.join('\n'), changedFilesOf(planned.changes));
}
