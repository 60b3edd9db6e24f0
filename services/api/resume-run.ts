import { StartRunRequest } from '../../domain/contracts/api.ts';
import type { ResumeRequest, ResumeResponse } from '../../domain/contracts/api.ts';
import type { RunRecord, StoryRetry } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { budgetCaps, usedUpCap } from '../../domain/run/budget.ts';
import type { CapsChange } from '../../domain/run/budget.ts';
import { shortRunId } from '../../domain/run/ids.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { startRalph } from './start-ralph.ts';
import { runView } from './views.ts';

type Deps = Pick<ApiDeps, 'store' | 'engine' | 'preflight' | 'ui'>;

/**
 * Goes on with a run, under other caps where some are given: a run that is worked on takes them at once, one that has ended
 * gets a further execution with the options it had. What was accepted when it was first started is accepted again.
 * @throws `budget-exceeded` when a cap leaves no room, `run-not-active` when all of its stories have passed
 */
export async function resumeRun(deps: Deps, run: RunRecord, request: ResumeRequest): Promise<ResumeResponse> {
  const { runId } = run;
  const change = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as CapsChange;
  const changes = Object.keys(change).length > 0;
  if (isActive(run.status)) {
    if (changes) {
      requireRoom(run, change);
      await deps.engine.setCaps(runId, change);
    }
    // A run that was not paused has nothing else to be told.
    if (!changes || run.status === 'paused') await deps.engine.steer(runId, 'resume');
    return { run: runView((await deps.store.getRun(runId)) ?? run, deps.ui), started: false, warnings: [] };
  }
  if (run.passed === run.total) {
    throw new CodetetherError('run-not-active', `all stories of ${runId} have passed`, {
      next: 'Nothing is left to do; add stories to the PRD and start it with codetether ralph run.',
    });
  }
  return await startAgain(deps, run, { change });
}

/**
 * A further execution of a run that has ended, in which one failed story is tried again, with a hint for its agent; the others
 * that failed are not. What has never been finished goes on, too.
 */
export async function retryStory(deps: Deps, run: RunRecord, retry: StoryRetry): Promise<ResumeResponse> {
  return await startAgain(deps, run, { change: {}, retry });
}

async function startAgain(
  deps: Deps,
  run: RunRecord,
  { change, retry }: { readonly change: CapsChange; readonly retry?: StoryRetry },
): Promise<ResumeResponse> {
  requireRoom(run, change);
  const options = Object.fromEntries(
    Object.entries(run.options).filter(([, value]) => value !== null && value !== undefined),
  );
  const { prdPath, repoPath, branch } = run;
  const plan = {
    kind: 'ralph',
    prdPath,
    repoPath,
    branch,
    ...options,
    ...change,
    allowUnchecked: true,
    allowDirty: true,
  };
  const started = await startRalph(deps, StartRunRequest.parse(plan), retry);
  return { run: started.run, started: started.kind === 'started', warnings: started.warnings };
}

function requireRoom(run: RunRecord, change: CapsChange): void {
  const usedUp = usedUpCap(budgetCaps({ ...run.options, ...change }), run.ledger);
  if (usedUp === null) return;
  const { spentUsd, spentTokens, steps } = run.ledger;
  throw new CodetetherError('budget-exceeded', `${run.runId} has used up its cap (${usedUp})`, {
    problems: [`spent so far: $${spentUsd.toFixed(4)}, ${spentTokens} tokens, ${steps} steps`],
    next: `Give it a larger one: codetether ralph resume ${shortRunId(run.runId)} --${usedUp} <more>`,
    details: { budget: usedUp },
  });
}
