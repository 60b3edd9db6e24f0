import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import { uncheckedStories, type ParsedPrd } from '../../domain/ralph/parse-prd.ts';
import { outlinePrd } from '../../domain/ralph/prd-outline.ts';
import { prdTemplate } from '../../domain/ralph/prd-template.ts';
import { prdGates } from '../../domain/ralph/prd.ts';
import { isActive } from '../../domain/run/status.ts';
import { repositoryTop } from '../instructions.ts';
import { gateProblem } from '../ralph/gate-commands.ts';
import { readPrdFile } from '../ralph/prd-file.ts';
import { readGivenPrd } from '../ralph/read-given-prd.ts';
import { repositoryGates } from '../ralph/repository-gates.ts';
import { orProblems, runOfPrd, untilAborted, type RunMeans } from './run-means.ts';
import { writeFileAtomically } from './text-file.ts';
import { changed, defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

/** As they stand in the file; `save` looks at the rest. */
const GivenStory = z.looseObject({
  id: z.string().optional().describe('Default: US-001 and so on'),
  title: z.string().min(1),
  description: z.string().default(''),
  acceptance_criteria: z.array(z.string()).default([]),
  verification_steps: z.array(z.record(z.string(), z.unknown())).default([]),
  depends_on: z.array(z.string()).default([]).describe('Ids'),
  priority: z.int().min(0).optional(),
  complexity: z.int().min(1).max(5).default(3),
});

const Input = z.object({
  action: z.enum(['analyze', 'generate', 'validate', 'save']),
  path: z.string().min(1).default('prd.json').describe('File of the PRD, JSON or YAML'),
  content: z
    .union([z.string().max(1_000_000), z.record(z.string(), z.unknown())])
    .optional()
    .describe('The PRD itself, for save; for analyze and validate instead of the file'),
  project: z.string().optional(),
  feature: z.string().optional().describe('For generate'),
  stories: z.array(GivenStory).max(500).optional().describe('For generate; without them a template'),
  technical_requirements: z.array(z.string()).optional(),
  replace: z.boolean().default(false).describe('save: over what is there'),
  reload: z
    .boolean()
    .default(false)
    .describe('save: over the PRD of a run that goes on, which then follows it; a person is asked'),
});
type PrdInput = z.output<typeof Input>;

/** Makes, checks and saves the PRDs that runs are started with. */
export function createPrdTool(runs: RunMeans): Tool {
  return defineTool({
    name: 'prd',
    risk: 'shell',
    riskOf: ({ action, reload }) => (action !== 'save' ? 'read' : reload ? 'shell' : 'write'),
    ask: ({ action, reload }) =>
      action === 'save' && reload ? { why: 'a run goes on with the PRD as it is saved', isSafe: false } : undefined,
    description:
      'PRDs: files of user stories that `ralph` works through. generate makes one of stories (gates are found), validate says what is wrong, analyze shows stages, what goes side by side and what overlaps, save writes it when it is valid.',
    input: Input,
    label: ({ action, path, content }) => (content !== undefined && action !== 'save' ? action : `${action} ${path}`),
    run: (input, context) => orProblems(() => act(input, context, untilAborted(runs, context.signal))),
  });
}

async function act(input: PrdInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  switch (input.action) {
    case 'analyze': {
      const parsed = await readPrd(input, context);
      return success([...outlinePrd(parsed.prd), ...(await remarks(parsed, context, runs))].join('\n'));
    }
    case 'validate': {
      const parsed = await readPrd(input, context);
      const { stories } = parsed.prd;
      return success([`usable: ${stories.length} stories`, ...(await remarks(parsed, context, runs))].join('\n'));
    }
    case 'generate':
      return success(await generated(input, context, runs));
    case 'save':
      return await save(input, context, runs);
  }
}

async function readPrd({ content, path }: PrdInput, { workspace }: ToolContext): Promise<ParsedPrd> {
  if (content !== undefined) return readGivenPrd(content, path);
  const file = await resolveWorkspacePath(workspace, path, 'read');
  return await readPrdFile(file.absolute);
}

/** What a run would refuse or warn about, and gates that the repository has and the PRD has not. */
async function remarks(
  { prd, warnings }: ParsedPrd,
  { workspace }: ToolContext,
  { searchPath }: RunMeans,
): Promise<readonly string[]> {
  const gates = prdGates(prd);
  const folder = await gateFolder(workspace.root);
  const problems = await Promise.all(
    gates.map(async (gate) => {
      const command = prd.qualityChecks[gate] ?? '';
      const problem = await gateProblem({ command, folder, searchPath });
      return problem === null ? [] : [`a run would be refused: quality_checks.${gate} (${command}): ${problem}`];
    }),
  );
  const unchecked = uncheckedStories(prd).filter((story) => !story.passes);
  const missing = Object.entries(repositoryGates(folder, searchPath)).filter(
    ([gate]) => !gates.some((known) => known === gate),
  );
  return [
    ...problems.flat(),
    ...(unchecked.length === 0
      ? []
      : [`a run would be refused: nothing checks ${unchecked.map(({ id }) => id).join(', ')}`]),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...missing.map(([gate, command]) => `the repository has a gate that the PRD has not: ${gate}: ${command}`),
  ];
}

/** Where gates run. */
async function gateFolder(root: string): Promise<string> {
  return (await repositoryTop(root)) ?? root;
}

/** The text of a PRD; valid as far as the given stories are. */
export async function generated(
  given: Pick<PrdInput, 'feature' | 'project' | 'stories' | 'technical_requirements'>,
  { workspace }: Pick<ToolContext, 'workspace'>,
  { searchPath }: Pick<RunMeans, 'searchPath'>,
): Promise<string> {
  const { feature, project, stories, technical_requirements } = given;
  if (feature === undefined || feature.trim() === '')
    throw new CodetetherError('prd-invalid', 'A PRD needs the name of its feature.');
  const folder = await gateFolder(workspace.root);
  const gates = repositoryGates(folder, searchPath);
  const template = prdTemplate({ project: project ?? basename(folder), feature, gates });
  const prd = {
    ...template,
    technical_requirements: technical_requirements ?? (stories === undefined ? template.technical_requirements : []),
    user_stories:
      stories?.map((story, index) => ({
        ...story,
        id: story.id ?? `US-${String(index + 1).padStart(3, '0')}`,
        passes: false,
        priority: story.priority ?? index + 1,
      })) ?? template.user_stories,
  };
  return `${JSON.stringify(prd, null, 2)}\n`;
}

async function save(input: PrdInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  if (context.branch !== null) return failure('the PRD of a run is not its agents’ to write; stories leave it alone');
  if (input.content === undefined) return failure('save needs the content');
  const file = await resolveWorkspacePath(context.workspace, input.path, 'write');
  const given = readGivenPrd(input.content, file.absolute);
  const before = await contentBefore(file, given.text, input);
  if (typeof before === 'object') return before;
  const run = before === undefined ? undefined : await runOfPrd(runs, file.absolute);
  const active = run !== undefined && isActive(run.status) ? run : undefined;
  if (active !== undefined && !input.reload)
    return failure(
      `${active.runId} is being worked on with ${file.relative}; save it with reload, or under another name`,
    );
  await mkdir(dirname(file.absolute), { recursive: true });
  await writeFileAtomically(file.absolute, given.text);
  const saved = [
    `${before === undefined ? 'created' : 'replaced'} ${file.relative}: ${given.prd.stories.length} stories`,
    ...(await remarks(given, context, runs)),
  ];
  const written = [{ ...file, change: before === undefined ? 'added' : 'changed' } as const];
  if (active === undefined) return changed(saved.join('\n'), written);
  const reloaded = await orProblems(async () => {
    const { changes } = await runs.reload(active.runId, {});
    const { added, changed: texts, removed } = changes;
    return success(
      `${active.runId} goes on with it: ${added.length} added, ${texts.length} changed, ${removed.length} removed`,
    );
  });
  if (reloaded.ok) return changed([...saved, reloaded.output].join('\n'), written);
  return failure(`${saved.join('\n')}\nbut ${active.runId} goes on with what it had: ${reloaded.output}`);
}

/** What is there now, undefined where nothing is; or why it may not be written over. */
async function contentBefore(
  file: WorkspacePath,
  text: string,
  input: PrdInput,
): Promise<string | undefined | ToolOutcome> {
  let before: string;
  try {
    before = await readFile(file.absolute, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (before === text && !input.reload) return success(`${file.relative} has this content already`);
  return input.replace || input.reload ? before : failure(`${file.relative} is there already; save it with replace`);
}
