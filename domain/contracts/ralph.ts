/** Workflow inputs, results and message names of Ralph. Wire format: fields are only added. */
import type { CleanUpWhat } from './activities.ts';
import type { OnAsk } from '../run/approval.ts';
import type { RunOutcome } from '../run/events.ts';
import type { BudgetName, Usage } from '../run/budget.ts';
import type { BesideAgent } from './session.ts';

export interface RalphOptions {
  /** `provider/model[:effort]`. */
  readonly model: string;
  /** Answers a step whose model was refused three times; absent: the model is waited for. */
  readonly fallbackModel?: string | undefined;
  /** Attempts that one execution may start. */
  readonly maxIterations: number;
  /** Attempts that one story may have in one execution before it counts as failed. */
  readonly maxAttempts: number;
  /** Model calls in one attempt. */
  readonly maxSteps: number;
  readonly maxConcurrent: number;
  readonly maxCostUsd: number | null;
  readonly maxTokens: number | null;
  /** Model calls of all stories together, over all executions; absent: no cap. */
  readonly maxTotalSteps?: number | undefined;
  /** Wall clock of one execution. */
  readonly maxTimeMs: number | null;
  /** Of all worktrees of the run on one host; absent: no quota. */
  readonly maxDiskBytes?: number | undefined;
  /** Default: `deny`. */
  readonly onAsk?: OnAsk | undefined;
  /** Percent of `maxCostUsd` at which a person is asked whether the run is to go on. */
  readonly askAtPercent?: number | undefined;
  /** A person is asked before an execution starts its first attempt. */
  readonly askPlan?: boolean | undefined;
  /** A person is asked before a story is merged. */
  readonly askMerge?: boolean | undefined;
  /** How long a person is waited for. */
  readonly askTimeoutMs?: number | undefined;
  /** Path or URL of the bare repository that hosts share; absent: all is done on the run's own host. */
  readonly remote?: string | undefined;
}

export interface RalphRunInput {
  readonly runId: string;
  /** Counts the executions of the run from 1. */
  readonly execution: number;
  readonly hostId: string;
  readonly project: string;
  readonly feature: string;
  readonly branch: string;
  readonly options: RalphOptions;
  /** Names of the PRD's quality checks in the order they run. */
  readonly gates: readonly string[];
  readonly uiUrl: string | null;
  /** The one failed story that this execution tries again; absent: all of them. */
  readonly retry?: string;
  /** Set by continue-as-new only. */
  readonly resume?: RalphRunState;
}

/** All that an execution of `ralphRun` carries over a continue-as-new. */
export interface RalphRunState {
  readonly iterations: number;
  readonly startedAtMs: number;
  readonly paused: boolean;
  /** The newest rows of the board, for showing only. */
  readonly rows: readonly RalphBoardRow[];
  /** Stories whose next attempt does not simply go on in its worktree. */
  readonly nextStarts: { readonly [storyId: string]: WorkspaceStart };
  readonly passed: number;
  readonly total: number;
  readonly usage: Usage;
}

/** A story that this execution has touched. */
export interface RalphBoardRow {
  readonly storyId: string;
  readonly title: string;
  readonly status: 'running' | 'merging' | 'retry' | 'passed' | 'failed';
  /** The number of the newest attempt. */
  readonly attempt: number;
  readonly tokens: number;
  readonly commit: string | null;
  readonly note: string;
}

export interface RalphRunResult {
  readonly outcome: RunOutcome;
  readonly passed: number;
  readonly total: number;
}

export interface RalphStoryInput {
  readonly runId: string;
  readonly storyId: string;
  readonly title: string;
  readonly attempt: number;
  /** The run's own. */
  readonly hostId: string;
  /** Any host may do it, see `placeWork`; absent: only the run's own. */
  readonly isShared?: boolean;
  readonly model: string;
  readonly fallbackModel?: string;
  readonly onAsk: OnAsk;
  readonly askTimeoutMs: number;
  readonly maxSteps: number;
  readonly gates: readonly string[];
  readonly verificationSteps: number;
  /** What the workspace starts from, see `prepareWorkspace`. */
  readonly start: WorkspaceStart;
  /** The baseline of all gates is recorded; else the gates wait for the signal that it is. */
  readonly baselineEnded: boolean;
  /** Set by continue-as-new only. */
  readonly resume?: RalphStoryState;
}

export interface RalphStoryState {
  readonly step: number;
  readonly startedAtMs: number;
  readonly usage: Usage;
  readonly agents?: readonly BesideAgent[];
}

/**
 * - `tip`: a fresh worktree on the run branch's tip; whatever was there is thrown away
 * - `keep`: the worktree as the last attempt left it, or `tip` where there is none
 * - `merged`: the tip's tree with the story's last commit merged on top, uncommitted
 * - `conflict`: the same, where the two conflict: the files hold both sides between conflict markers, for the agent to resolve
 */
export type WorkspaceStart =
  | { readonly kind: 'tip' }
  | { readonly kind: 'keep' }
  | { readonly kind: 'merged' | 'conflict'; readonly commit: string };

export type RalphStoryResult =
  | {
      readonly kind: 'green';
      readonly commit: string;
      readonly filesChanged: number;
      /** The first of them, see `commitStory`. */
      readonly files: readonly string[];
      readonly usage: Usage;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'red';
      readonly reason: import('../run/events.ts').AttemptFailure;
      readonly message: string;
      readonly usage: Usage;
      readonly durationMs: number;
    }
  | { readonly kind: 'stopped'; readonly usage: Usage; readonly durationMs: number }
  | {
      readonly kind: 'budget-exceeded';
      readonly budget: BudgetName;
      readonly usage: Usage;
      readonly durationMs: number;
    }
  /** The model or its provider cannot be used at all; no other attempt would do better. */
  | {
      readonly kind: 'unusable';
      readonly code: string;
      readonly message: string;
      readonly usage: Usage;
      readonly durationMs: number;
    };

/** Of every workflow: a sequential step waits for this at most when its worker dies in the middle of a workflow task. */
export const workflowTaskTimeout = '3s';

/** Workflow types. */
export const workflowTypes = {
  ralphRun: 'ralphRun',
  ralphStory: 'ralphStory',
  ralphRollback: 'ralphRollback',
  cleanUp: 'cleanUp',
} as const;

/** Its workflow id is {@link cleanUpId}: one at a time for a host and what it looks for. */
export interface CleanUpInput {
  readonly hostId: string;
  readonly apply: boolean;
  readonly what?: CleanUpWhat;
}

export function cleanUpId({ hostId, apply, what }: CleanUpInput): string {
  return `clean-up:${hostId}:${apply ? 'apply' : 'preview'}${what === undefined ? '' : `:${what}`}`;
}

/** Argument of the update `rollback`: stories that have passed, with all that depend on them. */
export interface RollbackRequest {
  readonly rollbackId: string;
  readonly storyIds: readonly string[];
}

/** A rollback of a run that nobody works on; its workflow has the run's id, so that nobody else works on the run meanwhile. */
export interface RalphRollbackInput extends RollbackRequest {
  readonly runId: string;
  readonly hostId: string;
  readonly isShared?: boolean;
  readonly gates: readonly string[];
}

/** Updates of `ralphRun`; each answers once the run has taken it, and is rejected when the run is ending. */
export const runUpdates = {
  pause: 'pause',
  resume: 'resume',
  stop: 'stop',
  setCaps: 'set-caps',
  rollback: 'rollback',
  nudge: 'nudge',
  retry: 'retry',
  reload: 'reload',
} as const;

/** Argument of `reload`: a PRD that was read and checked. */
export interface ReloadRequest {
  readonly reloadId: string;
  /** Blob hash of the PRD as JSON. */
  readonly prd: string;
  /** When its file was written; RFC 3339. */
  readonly savedAt: string;
}

export type ReloadResult =
  | {
      readonly kind: 'reloaded';
      /** All gates from now on. */
      readonly gates: readonly string[];
      readonly changedGates: readonly string[];
      /** Stories that are worked on and are not to be: at most as many as are in flight. */
      readonly stopped: readonly string[];
    }
  /** Nothing was changed: these are being merged, and the PRD is to have them no more. */
  | { readonly kind: 'refused'; readonly storyIds: readonly string[] };

/** Argument of `nudge` and `retry`. */
export interface StoryMessage {
  readonly storyId: string;
  /** At most 4,000 characters. */
  readonly text: string;
}

/** A message to an agent; it is told once, whatever happens. */
export interface Nudge {
  readonly nudgeId: string;
  readonly text: string;
}

/** What an agent says to one that it has started; the text is in its call. */
export interface AgentMessage {
  readonly callId: string;
}

/** Signals from an attempt to its run. */
export const runSignals = { budgetLine: 'budgetLine' } as const;

/** Signals from a parent to its children. */
export const childSignals = {
  pause: 'pause',
  resume: 'resume',
  stop: 'stop',
  baselineEnded: 'baselineEnded',
  nudge: 'nudge',
  /** Argument: an {@link AgentMessage}. */
  agentMessage: 'agentMessage',
} as const;

/** Query of every workflow: its state as JSON, for debugging. */
export const stateQuery = 'state';

/** Custom search attributes that every engine of ours has registered. */
export const searchAttributes = {
  CodetetherKind: 'Keyword',
  CodetetherRepo: 'Keyword',
  CodetetherStatus: 'Keyword',
  CodetetherTenant: 'Keyword',
  CodetetherOkrRunId: 'Keyword',
  CodetetherContextId: 'Keyword',
  CodetetherHost: 'Keyword',
  CodetetherProgress: 'Int',
  CodetetherCostUsd: 'Double',
} as const;
