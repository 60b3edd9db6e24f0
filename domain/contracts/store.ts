/**
 * What activities, API and worker need of PostgreSQL; implemented once, in `services/store`.
 * All methods throw `database-unreachable` (retryable) when the database does not answer.
 */
import type { BudgetCaps, BudgetLedger, Usage } from '../run/budget.ts';
import type { NewRunEvent, RunEvent, RunEventKind, RunStatus } from '../run/events.ts';
import type { NewSessionEvent, SessionEvent } from '../session/transcript.ts';
import type { Prd, Story } from '../ralph/prd.ts';
import type { FinishRunInput, ModelStepResult, ReadyStoriesResult, RecordInput } from './activities.ts';
import type { RalphOptions } from './ralph.ts';

export interface RunRecord {
  readonly runId: string;
  readonly kind: 'ralph';
  readonly status: RunStatus;
  readonly project: string;
  readonly feature: string;
  /** Absolute, the main checkout's top folder. */
  readonly repoPath: string;
  /** Absolute. */
  readonly prdPath: string;
  readonly branch: string;
  /** The commit that the run branch started from; null until the repository was opened. */
  readonly base: string | null;
  readonly tip: string | null;
  readonly hostId: string;
  readonly options: RalphOptions;
  /** The PRD without its stories. */
  readonly prd: Omit<Prd, 'stories'>;
  readonly execution: number;
  readonly ledger: BudgetLedger;
  readonly usage: Usage;
  readonly outcomeMessage: string;
  readonly createdAt: Date;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  /** Seq of the newest event, 0 when there is none. */
  readonly headSeq: number;
  /** `headSeq` when the present execution was opened: the events of this execution come after it. */
  readonly openedSeq: number;
  /** Stories of the PRD that have passed. */
  readonly passed: number;
  /** Stories of the PRD. */
  readonly total: number;
}

export interface StoryRecord {
  readonly runId: string;
  /** From 0, the story's place in the PRD. */
  readonly position: number;
  readonly story: Story;
  readonly status: 'open' | 'running' | 'passed' | 'failed' | 'blocked';
  /** Attempts started so far, over all executions. */
  readonly attempts: number;
  /** Attempts started by the present execution. */
  readonly tries: number;
  readonly commit: string | null;
  readonly feedback: { readonly reason: string; readonly message: string } | null;
  readonly usage: Usage;
  readonly durationMs: number;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** What the API writes before it starts the workflow. */
export interface RunPlan {
  readonly runId: string;
  readonly repoPath: string;
  readonly prdPath: string;
  readonly branch: string;
  readonly hostId: string;
  readonly options: RalphOptions;
  readonly prd: Prd;
}

export interface RunStore {
  /**
   * Creates the run and its stories, or opens the existing run for a further execution: stories follow the
   * PRD (a story whose `passes` the user reset is open again; a failed or blocked one is open again; new ones are
   * added, missing ones removed), caps and options are the new ones, `tries` starts from 0.
   * @returns the number of the execution
   */
  openRun(plan: RunPlan): Promise<number>;
  getRun(runId: string): Promise<RunRecord | undefined>;
  /** Newest first. */
  listRuns(options: { readonly limit: number }): Promise<readonly RunRecord[]>;
  /**
   * Ids that are `part`, or begin with it, or whose last part does; newest run first, at most 20. When runs are named by it
   * exactly (the whole id, else the last part), only those.
   */
  findRunIds(part: string): Promise<readonly string[]>;
  /** In PRD order. */
  getStories(runId: string): Promise<readonly StoryRecord[]>;
  getStory(runId: string, storyId: string): Promise<StoryRecord | undefined>;
  readyStories(input: {
    readonly runId: string;
    readonly inFlight: readonly string[];
    readonly limit: number;
  }): Promise<ReadyStoriesResult>;
  record(input: RecordInput): Promise<void>;
  finishRun(input: FinishRunInput): Promise<void>;
  /** Appends in order, skipping keys that are there; wakes readers. */
  appendRunEvents(runId: string, events: readonly NewRunEvent[]): Promise<void>;
  /** Events with `seq > afterSeq`, in order. */
  readRunEvents(
    runId: string,
    options: {
      readonly afterSeq: number;
      readonly limit: number;
      /** Only these kinds; absent: all. */
      readonly kinds?: readonly RunEventKind[];
    },
  ): Promise<readonly RunEvent[]>;
  /**
   * Calls back (without payload) after events of any run were appended, with the run's id; with `null` when it cannot
   * know (it has just connected, or connected again): any run may have new events. Never fails: it connects again by itself
   * for as long as it is wanted. Returns the way to stop.
   */
  watchRunEvents(onAppend: (runId: string | null) => void): Promise<() => Promise<void>>;
}

export interface SessionStore {
  /** Appends in order, skipping keys that are there. */
  appendSessionEvents(sessionId: string, events: readonly NewSessionEvent[]): Promise<void>;
  /** In order. @param options.last only the newest so many rows */
  readSession(sessionId: string, options?: { readonly last?: number }): Promise<readonly SessionEvent[]>;
  hasSessionEvent(sessionId: string, key: string): Promise<boolean>;
}

export interface ModelCallReservation {
  readonly key: string;
  readonly runId: string;
  readonly storyId: string;
  readonly sessionId: string;
  readonly model: string;
  readonly tokens: number;
  readonly usd: number;
}

export interface ModelCallAnswer {
  readonly key: string;
  readonly runId: string;
  readonly storyId: string;
  readonly sessionId: string;
  readonly result: Extract<ModelStepResult, { kind: 'answered' }>;
  readonly sessionEvent: NewSessionEvent;
  readonly runEvents: readonly NewRunEvent[];
}

export interface ModelCallStore {
  /** The stored result of an answered call. */
  getModelCall(key: string): Promise<Extract<ModelStepResult, { kind: 'answered' }> | undefined>;
  /**
   * Reserves under the run's row lock, so that calls racing for the last cent cannot both win. A call that was
   * reserved before under the same key (and never answered) keeps its one reservation.
   */
  reserveModelCall(
    call: ModelCallReservation,
  ): Promise<
    { readonly kind: 'reserved' } | { readonly kind: 'budget-exceeded'; readonly budget: 'max-cost' | 'max-tokens' }
  >;
  /** One transaction: transcript, usage of run and story, the reservation's end, events. Twice: nothing more. */
  answerModelCall(answer: ModelCallAnswer): Promise<void>;
  /** Gives the reservation back after an error that is known not to have cost anything. */
  releaseModelCall(key: string): Promise<void>;
  caps(runId: string): Promise<BudgetCaps>;
}

export interface WorkspaceRecord {
  readonly workspaceId: string;
  readonly runId: string;
  readonly storyId: string;
  readonly hostId: string;
  readonly path: string;
  readonly branch: string;
  /** The commit that the story's change is measured against. */
  readonly base: string;
  /** The commit that holds the workspace's state after the last recorded mutating tool call. */
  readonly checkpoint: string;
  /** `prepareWorkspace` of this attempt made it. */
  readonly attempt: number;
}

export interface WorkspaceStore {
  getWorkspace(workspaceId: string): Promise<WorkspaceRecord | undefined>;
  putWorkspace(workspace: WorkspaceRecord): Promise<void>;
  deleteWorkspace(workspaceId: string): Promise<void>;
  /** One transaction: the tool's result in the transcript, the workspace's checkpoint (where it moved), events. */
  recordToolResult(input: {
    readonly sessionId: string;
    readonly sessionEvent: NewSessionEvent;
    readonly workspaceId: string;
    readonly checkpoint: string | null;
    readonly runId: string;
    readonly runEvents: readonly NewRunEvent[];
  }): Promise<void>;
}

export interface CheckRecord {
  readonly runId: string;
  readonly storyId: string | null;
  readonly attempt: number | null;
  readonly where: 'baseline' | 'workspace' | 'merged';
  /** Gate name, or `verification`. */
  readonly name: string;
  readonly command: string;
  readonly tree: string;
  readonly ok: boolean;
  readonly exitCode: number | null;
  readonly durationMs: number;
  readonly summary: string;
  /** Blob hash of the whole output. */
  readonly log: string;
}

export interface CheckStore {
  recordCheck(check: CheckRecord): Promise<void>;
  /** Newest last. */
  listChecks(runId: string, storyId: string | null): Promise<readonly (CheckRecord & { readonly at: Date })[]>;
}

export interface BlobStore {
  /** Content-addressed: returns the SHA-256 in hex; the same text is stored once. */
  putBlob(text: string): Promise<string>;
  getBlob(hash: string): Promise<string | undefined>;
}

export interface HostRecord {
  readonly hostId: string;
  readonly name: string;
  readonly pid: number;
  readonly version: string;
  readonly slots: number;
  readonly seenAt: Date;
}

export interface HostStore {
  /** Called every few seconds by a worker. */
  seeHost(host: Omit<HostRecord, 'seenAt'>): Promise<void>;
  listHosts(): Promise<readonly HostRecord[]>;
}

export type Store = RunStore & SessionStore & ModelCallStore & WorkspaceStore & CheckStore & BlobStore & HostStore;
