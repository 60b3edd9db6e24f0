import type { RalphRunInput } from '../../domain/contracts/ralph.ts';
import type { SteerVerb } from '../../domain/contracts/api.ts';

/** What the engine knows of the newest execution of a run. `execution` is null when it was started by somebody else. */
export type EngineRun =
  | { readonly kind: 'missing' }
  | { readonly kind: 'running'; readonly execution: number | null }
  | { readonly kind: 'closed'; readonly execution: number | null; readonly how: EngineEnd };

export type EngineEnd = 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed out';

/**
 * What the API asks of the engine. Every method answers within seconds or throws `engine-unreachable`; ids are
 * whole run ids.
 */
export interface RunEngine {
  ping(): Promise<void>;
  /** @param withinMs when the answer is only wanted if it comes soon */
  describe(runId: string, withinMs?: number): Promise<EngineRun>;
  /**
   * Starts an execution; when one is running it is left alone and `already-running` is returned.
   * @throws `config-invalid` when the engine lacks what runs need
   */
  start(input: RalphRunInput): Promise<'started' | 'already-running'>;
  /**
   * Returns when the run has taken it (`cancel`: when the engine has).
   * @throws `run-not-active` when it is not running or is ending, `worker-lost` when nobody works on it now
   */
  steer(runId: string, verb: SteerVerb): Promise<void>;
}
