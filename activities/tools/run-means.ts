import { realpath } from 'node:fs/promises';
import type {
  ReloadResponse,
  ReloadRunRequest,
  RunDetailView,
  RunListView,
  RunView,
  StartRunRequest,
  StartRunResponse,
} from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { failure, type ToolOutcome } from './tool.ts';

/** How tools start, see and reload runs: as people do, by the API of this host. Its methods throw what the API has to say. */
export interface RunMeans {
  readonly startRun: (request: StartRunRequest) => Promise<StartRunResponse>;
  readonly listRuns: (options: { readonly limit: number }) => Promise<RunListView>;
  readonly getRun: (runId: string) => Promise<RunDetailView>;
  readonly reload: (runId: string, request: ReloadRunRequest) => Promise<ReloadResponse>;
  /** `PATH` as gates get it. */
  readonly searchPath: string;
}

const mostRuns = 500;

/** The newest run of the PRD in this file. */
export async function runOfPrd(runs: RunMeans, prdPath: string): Promise<RunView | undefined> {
  const { runs: known } = await runs.listRuns({ limit: mostRuns });
  for (const run of known) if ((await realpath(run.prdPath).catch(() => run.prdPath)) === prdPath) return run;
  return undefined;
}

/** The same, but each call throws the signal's reason as soon as it aborts; what the API was asked for may be done all the same. */
export function untilAborted(runs: RunMeans, signal: AbortSignal): RunMeans {
  return {
    startRun: (request) => unlessAborted(signal, () => runs.startRun(request)),
    listRuns: (options) => unlessAborted(signal, () => runs.listRuns(options)),
    getRun: (runId) => unlessAborted(signal, () => runs.getRun(runId)),
    reload: (runId, request) => unlessAborted(signal, () => runs.reload(runId, request)),
    searchPath: runs.searchPath,
  };
}

/** What the work says, and as an answer for the model whatever is wrong with what it has asked for. */
export async function orProblems(work: () => Promise<ToolOutcome>): Promise<ToolOutcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CodetetherError)) throw error;
    const { message, problems, next, code } = error;
    return failure([`${message} [${code}]`, ...problems.map((problem) => `- ${problem}`), next].join('\n'));
  }
}
