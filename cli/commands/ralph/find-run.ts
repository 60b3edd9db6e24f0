import { resolve } from 'node:path';
import type { RunView } from '../../../domain/contracts/api.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { shortRunId } from '../../../domain/run/ids.ts';
import { isActive } from '../../../domain/run/status.ts';
import { ask } from './context.ts';
import type { Context } from './context.ts';
import { findRepository, realpath } from './repository.ts';

const lookAmong = 200;

export interface RunChoice {
  /** As the person gave it: an id or a prefix of one. */
  readonly run: string | undefined;
  readonly prd?: string | undefined;
  /** Only a run that goes on can be meant. */
  readonly active?: boolean;
  /** Where none goes on, the newest of this repository that has ended. */
  readonly orEnded?: boolean;
}

/**
 * The id of the run that is meant: the one given (the API resolves prefixes), else the newest of `prd`, else the newest of
 * this repository. A run of somewhere else is taken only to look at, or when it is the only active one.
 * @throws `not-found` saying what there is
 */
export async function findRunId(
  context: Context,
  { run, prd, active = false, orEnded = false }: RunChoice,
): Promise<string> {
  if (run !== undefined) return run;
  const { runs } = await ask(context, (client) => client.listRuns({ limit: lookAmong }));
  const where = {
    prdPath: prd === undefined ? undefined : realpath(resolve(context.cwd, prd)),
    repository: findRepository(context.cwd),
    active,
  };
  const here = runs.filter((known) => known.repoPath === where.repository || known.prdPath === where.prdPath);
  const chosen = chooseRun(runs, where) ?? (orEnded ? chooseRun(here, { ...where, active: false }) : undefined);
  if (chosen !== undefined) return chosen.runId;
  throw new CodetetherError('not-found', noRunMessage(runs, { prd, active }), {
    next: runs.length === 0 ? 'Start one: codetether ralph run --prd prd.json' : 'Name one of codetether ralph list.',
  });
}

/** `runs` are newest first. */
export function chooseRun(
  runs: readonly RunView[],
  where: { readonly prdPath: string | undefined; readonly repository: string | undefined; readonly active: boolean },
): RunView | undefined {
  const candidates = where.active ? runs.filter((run) => isActive(run.status)) : runs;
  if (where.prdPath !== undefined) return candidates.find((run) => run.prdPath === where.prdPath);
  const here = candidates.find((run) => run.repoPath === where.repository);
  if (here !== undefined) return here;
  return where.active && candidates.length > 1 ? undefined : candidates[0];
}

function noRunMessage(runs: readonly RunView[], { prd, active }: Omit<RunChoice, 'run'>): string {
  if (runs.length === 0) return 'there is no run yet';
  return `there is no ${active ? 'active run' : 'run'} of ${prd ?? 'this repository'}`;
}

/** The shortest id that names the run and no other: its last part, else the whole. Never throws. */
export async function runHandle(context: Context, runId: string): Promise<string> {
  const short = shortRunId(runId);
  try {
    const { runs } = await context.client.listRuns({ limit: lookAmong });
    const isShared = runs.some((run) => run.runId !== runId && shortRunId(run.runId) === short);
    return isShared ? runId : short;
  } catch {
    // Only a nicety; the whole id always works.
    return runId;
  }
}
