import { z } from 'zod';
import { applyHunks } from './apply-hunks.ts';
import { changesDiff } from './change-diff.ts';
import {
  applyChanges,
  changedFilesOf,
  ignoredProblem,
  readForChange,
  resolveAll,
  type FileChange,
} from './file-changes.ts';
import { parsePatch, type FilePatch } from './patch-text.ts';
import { editableText } from './text-file.ts';
import { changed, defineTool, failure, success, type Tool, type ToolContext } from './tool.ts';
import type { WorkspacePath } from './workspace-path.ts';

export function createApplyPatchTool(): Tool {
  return defineTool({
    name: 'apply_patch',
    risk: 'write',
    riskOf: ({ preview }) => (preview ? 'read' : 'write'),
    description:
      'Applies a patch to files of the workspace: a unified diff (as git writes it), or *** Begin Patch with *** Add File, ' +
      '*** Delete File and *** Update File (*** Move to). All of it or, when a hunk does not fit, nothing.',
    input: z.object({
      patch: z.string().min(1).describe('The patch'),
      preview: z.boolean().default(false).describe('Only show the diff'),
    }),
    label: ({ patch, preview }) => {
      const parsed = parsePatch(patch);
      const files = parsed.kind === 'parsed' ? parsed.files.map(({ path }) => path).join(', ') : '(malformed)';
      return preview ? `${files} (preview)` : files;
    },
    run: async ({ patch, preview }, context) => {
      const parsed = parsePatch(patch);
      if (parsed.kind === 'malformed')
        return failure(`the patch is malformed at its line ${parsed.line}: ${parsed.problem}. Nothing was changed.`);
      const plan = await planPatch(context, parsed.files);
      if (plan.problems.length > 0) return failure(`nothing was changed:\n${plan.problems.join('\n')}`);
      if (preview) {
        const diff = await changesDiff(context, plan.changes);
        return success(['preview, nothing was changed', ...plan.reports, diff].join('\n'));
      }
      await applyChanges(plan.changes);
      return changed(plan.reports.join('\n'), changedFilesOf(plan.changes));
    },
  });
}

interface PatchPlan {
  readonly changes: readonly FileChange[];
  readonly reports: readonly string[];
  readonly problems: readonly string[];
}

async function planPatch(context: ToolContext, patches: readonly FilePatch[]): Promise<PatchPlan> {
  const paths = patches.flatMap((patch) => [patch.path, ...(newPathOf(patch) ?? [])]);
  const resolved = await resolveAll(context, paths);
  if (resolved.problems.length > 0) return { changes: [], reports: [], problems: resolved.problems };
  const changes: FileChange[] = [];
  const reports: string[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const patch of patches) {
    const planned = await planFile(patch, resolved.files);
    if (typeof planned === 'string') {
      problems.push(`${patch.path}: ${planned}`);
      continue;
    }
    for (const { file } of planned.changes) {
      if (seen.has(file.absolute)) problems.push(`${file.relative} is in the patch twice; put its hunks together`);
      seen.add(file.absolute);
    }
    changes.push(...planned.changes);
    reports.push(planned.report);
  }
  const ignored = await ignoredProblem(
    context,
    changes.map(({ file }) => file),
  );
  return { changes, reports, problems: ignored === undefined ? problems : [...problems, ignored] };
}

const newPathOf = (patch: FilePatch): readonly string[] | undefined =>
  patch.kind === 'update' && patch.newPath !== null ? [patch.newPath] : undefined;

/** Why the file's part does not fit, or what it comes to. */
async function planFile(
  patch: FilePatch,
  files: ReadonlyMap<string, WorkspacePath>,
): Promise<string | { readonly changes: readonly FileChange[]; readonly report: string }> {
  const file = files.get(patch.path);
  if (file === undefined) return 'it is not in the workspace';
  const read = await readForChange(file);
  if (read.kind === 'refused') return read.reason;
  if (patch.kind === 'add') {
    if (read.kind === 'file') return 'it is to be added and is there already';
    return {
      changes: [{ file, content: Buffer.from(patch.content, 'utf8'), mode: patch.mode, isNew: true }],
      report: `added ${file.relative}`,
    };
  }
  if (read.kind === 'missing') return 'there is no such file';
  const source = editableText(read.bytes);
  const hunks = patch.hunks.map((hunk) => ({
    ...hunk,
    lines: hunk.lines.map(({ sign, text }) => ({ sign, text: source.asInFile(text) })),
  }));
  const applied = applyHunks(source.text, hunks);
  if (applied.kind === 'refused') return applied.problem;
  if (patch.kind === 'delete') {
    if (hunks.length > 0 && applied.text !== '') return 'it has more than the patch takes away, so it is not deleted';
    return { changes: [{ file, content: null }], report: `deleted ${file.relative}` };
  }
  const content = source.encode(applied.text);
  const notes = applied.notes.map((note) => `\n  ${note}`).join('');
  const mode = patch.mode ?? read.mode;
  if (patch.newPath === null)
    return { changes: [{ file, content, mode }], report: `changed ${file.relative} (${hunks.length} hunks)${notes}` };
  const target = files.get(patch.newPath);
  if (target === undefined) return 'its new place is not in the workspace';
  if ((await readForChange(target)).kind !== 'missing') return `${target.relative} is there already`;
  return {
    changes: [
      { file, content: null },
      { file: target, content, mode, isNew: true },
    ],
    report: `moved ${file.relative} to ${target.relative} (${hunks.length} hunks)${notes}`,
  };
}
