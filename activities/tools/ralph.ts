import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { emptyBoard, passedCount, waitsFor } from '../../domain/run/board.ts';
import type { RunDetailView } from '../../domain/contracts/api.ts';
import { agentDepth } from '../../domain/run/ids.ts';
import { isActive } from '../../domain/run/status.ts';
import { cleanLine } from './output-text.ts';
import { generated } from './prd.ts';
import { orProblems, runOfPrd, untilAborted, type RunMeans } from './run-means.ts';
import { changed, defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const Input = z.object({
  action: z.enum(['run', 'status', 'create-prd']),
  prd_path: z.string().min(1).default('prd.json'),
  run_id: z.string().min(1).max(300).optional().describe('For status; default: the newest run of prd_path'),
  max_cost: z.number().positive().optional().describe('US dollars that the run may spend; run needs it'),
  model: z.string().min(1).optional().describe('provider/model; default: yours'),
  max_concurrent: z.int().min(1).max(64).optional().describe('Stories at a time'),
  branch: z.string().min(1).optional().describe("Instead of the PRD's"),
  project: z.string().min(1).optional(),
  feature: z.string().min(1).optional().describe('For create-prd'),
});
type RalphInput = z.output<typeof Input>;

/** Starts durable runs of a PRD, and shows how they are: what `codetether ralph run` and `status` do for people. */
export function createRalphTool(runs: RunMeans): Tool {
  return defineTool({
    name: 'ralph',
    risk: 'shell',
    riskOf: ({ action }) => (action === 'run' ? 'shell' : action === 'status' ? 'read' : 'write'),
    ask: ({ action, prd_path, max_cost }) =>
      action === 'run' && max_cost !== undefined
        ? {
            why: `it starts a run of ${prd_path} that may spend $${max_cost}, besides what this session spends`,
            isSafe: false,
          }
        : undefined,
    description:
      'Works through a PRD in the background: each story in a worktree of its own, with an agent of its own, checked and merged onto a run branch. run starts it (a person is asked) and returns at once, status shows how it is, create-prd writes a template.',
    input: Input,
    label: ({ action, prd_path, run_id }) => `${action} ${action === 'status' ? (run_id ?? prd_path) : prd_path}`,
    run: (input, context) => orProblems(() => act(input, context, untilAborted(runs, context.signal))),
  });
}

async function act(input: RalphInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  switch (input.action) {
    case 'run':
      return await start(input, context, runs);
    case 'status':
      return await status(input, context, runs);
    case 'create-prd':
      return await createPrd(input, context, runs);
  }
}

async function start(input: RalphInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  const { workspace, branch, session } = context;
  if (branch !== null) return failure('a story of a run starts no run of its own');
  if (agentDepth(session.id) > 0)
    return failure(
      'an agent that another one has started starts no runs; say in your answer that one is to be started',
    );
  if (input.max_cost === undefined) return failure('run needs max_cost: what it may spend, in US dollars');
  const file = await resolveWorkspacePath(workspace, input.prd_path, 'read');
  const { kind, run, warnings } = await runs.startRun({
    kind: 'ralph',
    prdPath: file.absolute,
    model: input.model ?? (await session.model()),
    maxCostUsd: input.max_cost,
    ...(input.max_concurrent === undefined ? {} : { maxConcurrent: input.max_concurrent }),
    ...(input.branch === undefined ? {} : { branch: input.branch }),
  });
  const what = kind === 'started' ? 'is started' : 'is being worked on already, and goes on as it is';
  return success(
    [
      `${run.runId} ${what}: ${run.passed} of ${run.total} stories have passed, branch ${run.branch}`,
      ...warnings.map((warning) => `warning: ${warning}`),
      `It goes on in the background, whatever becomes of this session. See how it is with status; a person watches it with: codetether ralph attach ${run.runId}`,
    ].join('\n'),
  );
}

async function status(input: RalphInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  if (input.run_id !== undefined) return success(statusText(await runs.getRun(input.run_id)));
  const file = await resolveWorkspacePath(context.workspace, input.prd_path, 'read');
  const run = await runOfPrd(runs, file.absolute);
  return run === undefined
    ? failure(`there is no run of ${file.relative}`)
    : success(statusText(await runs.getRun(run.runId)));
}

const lineCharacters = 300;

function statusText(run: RunDetailView): string {
  const board = emptyBoard(run);
  const cap = run.maxCostUsd === null ? '' : ` of $${run.maxCostUsd}`;
  const lines = [
    `${run.runId}, execution ${run.execution}: ${run.status}, ${passedCount(board)} of ${board.stories.length} stories passed, $${run.spentUsd.toFixed(2)}${cap} spent`,
    `branch ${run.branch}${run.tip === null ? '' : ` at ${run.tip.slice(0, 10)}`}, model ${run.model}`,
    ...(run.message === '' ? [] : [run.message]),
    ...board.approvals.map(({ storyId, question }) => `a person is asked (${storyId}): ${question}`),
    ...board.stories.map((story) => {
      const waits = story.state === 'open' && isActive(run.status) ? waitsFor(board, story) : [];
      const state = waits.length > 0 ? `waits for ${waits.join(', ')}` : story.state;
      const attempts = story.attempts === 0 ? '' : `, attempt ${story.attempts}`;
      const problem = story.problem === null ? '' : `: ${story.problem}`;
      return `${story.storyId}  ${story.title}  [${state}${attempts}]${problem}`;
    }),
  ];
  return lines.map((line) => cleanLine(line, lineCharacters)).join('\n');
}

async function createPrd(input: RalphInput, context: ToolContext, runs: RunMeans): Promise<ToolOutcome> {
  if (context.branch !== null) return failure('stories leave PRDs alone');
  const file = await resolveWorkspacePath(context.workspace, input.prd_path, 'write');
  const text = await generated({ ...input, stories: undefined, technical_requirements: undefined }, context, runs);
  await mkdir(dirname(file.absolute), { recursive: true });
  try {
    await writeFile(file.absolute, text, { flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      return failure(`${file.relative} is there already; prd save with replace writes over it`);
    throw error;
  }
  return changed(`created ${file.relative} with two example stories to write over`, [{ ...file, change: 'added' }]);
}
