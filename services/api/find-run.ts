import { isActive } from '../../domain/run/status.ts';
import type { RunRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import type { EngineRun } from './engine.ts';

/** A row may be ahead of the engine for this long: it is written before the execution is started. */
const startingMs = 30_000;
/** Reads are answered without the engine when it does not answer soon. */
const readMs = 1_000;

/**
 * The run that `part` names: an id, its last part, or a unique beginning of either, as it is now.
 * @throws `not-found`, `ambiguous-id` with the candidates
 */
export async function findRun(deps: Pick<ApiDeps, 'store' | 'engine'>, part: string): Promise<RunRecord> {
  const ids = await deps.store.findRunIds(part);
  const [runId] = ids;
  const run = runId === undefined ? undefined : await deps.store.getRun(runId);
  if (run === undefined) throw new CodetetherError('not-found', `there is no run ${part}`);
  if (ids.length > 1) {
    throw new CodetetherError('ambiguous-id', `${part} fits ${ids.length} runs`, {
      problems: ids,
      details: { candidates: ids },
    });
  }
  return await reconcileRun(deps, run);
}

/**
 * The run with its row corrected, where the row says that it is worked on and the engine knows that it is not. Where the
 * engine does not answer, the row is taken as it is.
 */
export async function reconcileRun(deps: Pick<ApiDeps, 'store' | 'engine'>, run: RunRecord): Promise<RunRecord> {
  if (!isActive(run.status)) return run;
  let known: EngineRun;
  try {
    known = await deps.engine.describe(run.runId, readMs);
  } catch (error) {
    if (error instanceof CodetetherError && error.code === 'engine-unreachable') return run;
    throw error;
  }
  if (known.kind === 'running') return run;
  const isOlder = known.kind === 'missing' || (known.execution !== null && known.execution < run.execution);
  const ageMs = Date.now() - run.startedAt.getTime();
  if (isOlder && ageMs < startingMs) return run;
  await deps.store.finishRun({
    runId: run.runId,
    execution: run.execution,
    outcome: known.kind === 'closed' && known.how === 'cancelled' ? 'cancelled' : 'error',
    message: isOlder ? 'the engine does not know this run (any more)' : endMessage(known),
    tip: null,
    commits: 0,
    durationMs: Math.max(0, ageMs),
  });
  return (await deps.store.getRun(run.runId)) ?? run;
}

function endMessage(known: EngineRun): string {
  if (known.kind !== 'closed') return '';
  switch (known.how) {
    case 'terminated':
    case 'cancelled':
      return `the run was ${known.how} in the engine`;
    case 'failed':
    case 'timed out':
      return `the run ${known.how} in the engine`;
    case 'completed':
      return 'the run ended, but not how was recorded';
  }
}
