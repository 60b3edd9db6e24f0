import { setTimeout as delay } from 'node:timers/promises';
import type { StartRunResponse } from '../../domain/contracts/api.ts';
import type { RunPlan, RunRecord, StoryRetry } from '../../domain/contracts/store.ts';
import { CodetetherError, toProblem } from '../../domain/errors.ts';
import { prdGates } from '../../domain/ralph/prd.ts';
import { stages } from '../../domain/ralph/schedule.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps, CheckedStartRequest } from './deps.ts';
import { plannedRunView, runUiUrl, runView } from './views.ts';

type Deps = Pick<ApiDeps, 'store' | 'engine' | 'preflight' | 'ui'>;

/** How long a run whose end is recorded may take to leave the engine. */
const leavingMs = 5_000;
const pollMs = 50;

/**
 * Starts a run, or goes on with what has not passed, or attaches to it when it is being worked on. A start that fails
 * can be tried again as it is.
 */
export async function startRalph(
  deps: Deps,
  request: CheckedStartRequest,
  retry?: StoryRetry,
): Promise<StartRunResponse> {
  const { plan: checked, warnings } = await deps.preflight(request);
  const plan = { ...checked, retry };
  if (request.dryRun) return await planned(deps, plan, warnings);
  // One at a time for each run, over all API processes: an execution is opened only when none is running.
  return await deps.store.exclusively(`start:${plan.runId}`, async () => {
    if (await isWorkedOn(deps, plan.runId)) return await attach(deps, plan, warnings);
    const execution = await deps.store.openRun(plan);
    if ((await start(deps, plan, execution)) === 'already-running') return await attach(deps, plan, warnings);
    const run = await existingRun(deps, plan.runId);
    return { kind: 'started', run: runView(run, deps.ui), afterSeq: run.openedSeq, warnings: [...warnings], plan: [] };
  });
}

/** Waits for an execution that has ended to be gone, so that a start right after an end is not lost on it. */
export async function isWorkedOn(deps: Pick<Deps, 'store' | 'engine'>, runId: string): Promise<boolean> {
  const deadline = Date.now() + leavingMs;
  for (;;) {
    const known = await deps.engine.describe(runId);
    if (known.kind !== 'running') return false;
    const run = await deps.store.getRun(runId);
    if (run === undefined || isActive(run.status) || Date.now() > deadline) return true;
    await delay(pollMs);
  }
}

async function start(deps: Deps, plan: RunPlan, execution: number): Promise<'started' | 'already-running'> {
  const { runId, hostId, branch, options, prd } = plan;
  const { project, feature } = prd;
  const uiUrl = runUiUrl(deps.ui, runId);
  try {
    const gates = prdGates(prd);
    const input = { runId, execution, hostId, project, feature, branch, options, gates, uiUrl };
    return await deps.engine.start(plan.retry === undefined ? input : { ...input, retry: plan.retry.storyId });
  } catch (error) {
    if (await hasStarted(deps, runId, execution)) return 'started';
    const { title } = toProblem(error);
    const message = `the run could not be started: ${title}`;
    const nothing = { tip: null, commits: 0, durationMs: 0 };
    await deps.store.finishRun({ runId, execution, outcome: 'error', message, ...nothing });
    throw error;
  }
}

/** The engine may have taken a start whose answer was lost. */
async function hasStarted(deps: Deps, runId: string, execution: number): Promise<boolean> {
  try {
    const known = await deps.engine.describe(runId);
    return known.kind === 'running' && known.execution === execution;
  } catch {
    // It does not answer; the start has failed already for that.
    return false;
  }
}

async function attach(deps: Deps, plan: RunPlan, warnings: readonly string[]): Promise<StartRunResponse> {
  const run = await existingRun(deps, plan.runId);
  if (!isActive(run.status)) {
    throw new CodetetherError('run-active', `${plan.runId} is being rolled back or is just ending`, {
      next: 'Try again in a moment.',
    });
  }
  if (run.prdPath !== plan.prdPath) {
    throw new CodetetherError('run-active', `${plan.runId} is being worked on for another PRD`, {
      problems: [`it works on ${run.prdPath}`, `asked for was ${plan.prdPath}`],
      next: 'Wait for its end or stop it, or give this PRD another branch (--branch).',
    });
  }
  const differs = JSON.stringify(sorted(run.options)) !== JSON.stringify(sorted(plan.options));
  return {
    kind: 'attached',
    run: runView(run, deps.ui),
    afterSeq: run.openedSeq,
    warnings: differs
      ? [...warnings, 'the run is being worked on already; the model and limits it was started with go on']
      : [...warnings],
    plan: [],
  };
}

async function existingRun(deps: Deps, runId: string): Promise<RunRecord> {
  const run = await deps.store.getRun(runId);
  if (run !== undefined) return run;
  throw new CodetetherError('run-active', `the engine works on ${runId}, but the database does not know it`, {
    next: "Terminate it in the engine's UI (it belongs to another data dir or database), then start again.",
  });
}

async function planned(deps: Deps, plan: RunPlan, warnings: readonly string[]): Promise<StartRunResponse> {
  const existing = await deps.store.getRun(plan.runId);
  return {
    kind: 'planned',
    run: plannedRunView(plan, existing, deps.ui, new Date()),
    afterSeq: existing?.headSeq ?? 0,
    warnings: [...warnings],
    plan: startOrder(plan),
  };
}

/** Stories that have not passed, stage by stage; a prerequisite that has passed holds nobody up. */
function startOrder(plan: RunPlan): StartRunResponse['plan'] {
  const open = plan.prd.stories.filter((story) => !story.passes);
  const openIds = new Set(open.map((story) => story.id));
  const stageOf = stages(
    open.map((story) => ({ id: story.id, dependsOn: story.dependsOn.filter((id) => openIds.has(id)) })),
  );
  return open
    .map((story) => ({ story, stage: stageOf.get(story.id) ?? 0 }))
    .toSorted(
      (a, b) => a.stage - b.stage || a.story.priority - b.story.priority || a.story.complexity - b.story.complexity,
    )
    .map(({ story, stage }) => ({ storyId: story.id, title: story.title, stage }));
}

function sorted(options: RunPlan['options']): readonly (readonly [string, unknown])[] {
  return Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
