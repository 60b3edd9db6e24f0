import type { StoryVerb, SteerVerb } from '../../domain/contracts/api.ts';
import type {
  StoryMessage,
  CleanUpInput,
  Nudge,
  RalphRollbackInput,
  RalphRunInput,
  ReloadRequest,
  ReloadResult,
  RollbackRequest,
} from '../../domain/contracts/ralph.ts';
import type { AgentSessionInput, SessionMessage } from '../../domain/contracts/session.ts';
import type { ApprovalAnswer } from '../../domain/run/approval.ts';
import type { CapsChange } from '../../domain/run/budget.ts';
import type { CleanUpResult } from '../../domain/contracts/activities.ts';

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
  /** Returns when the run has taken it; throws like `steer`. */
  tell(runId: string, verb: StoryVerb, message: StoryMessage): Promise<void>;
  /** Returns when the run goes on with the edited PRD; throws like `steer`. */
  reload(runId: string, request: ReloadRequest): Promise<ReloadResult>;
  /** Returns when the run goes on under the new caps; throws like `steer`. */
  setCaps(runId: string, change: CapsChange): Promise<void>;
  /**
   * Returns when the workflow that asked has taken and recorded the answer.
   * @throws `approval-settled` when it does not wait for it any more, `worker-lost` when nobody works on it now
   */
  answer(workflowId: string, answer: ApprovalAnswer): Promise<void>;
  /**
   * Returns when the run has taken it; the run's events say how it ends.
   * @throws like `steer`
   */
  rollBack(runId: string, request: RollbackRequest): Promise<void>;
  /** Starts a rollback of a run that nobody works on, under the run's id. */
  startRollback(input: RalphRollbackInput): Promise<'started' | 'already-running'>;
  /**
   * Hands a message to a session, which is started where it is not running; how many messages are before it. The same
   * message twice is one.
   * @throws `session-busy`, `worker-lost` when nobody works on it now
   */
  send(input: AgentSessionInput, message: SessionMessage): Promise<number>;
  /**
   * Ends the turn under way. @throws `session-idle` when there is none, `worker-lost`
   * @param messageId the turn of that message, or the message itself where it still waits
   */
  interrupt(sessionId: string, messageId?: string): Promise<void>;
  /** Has a task's workflow look at it, or end its work; it is started where it is not running. */
  tellTask(taskId: string, what: 'look' | 'cancel', tenant: string): Promise<void>;
  /** Has what happened to a task delivered to a receiver, where it is not being done. */
  tellPush(config: { readonly taskId: string; readonly configId: string }, tenant: string): Promise<void>;
  /** Tells the agent at work. @throws like `interrupt` */
  steerSession(sessionId: string, nudge: Nudge): Promise<void>;
  /** Looks on a host for what runs that are over have left, and removes it if told to. */
  cleanUp(input: CleanUpInput): Promise<CleanUpResult>;
}
