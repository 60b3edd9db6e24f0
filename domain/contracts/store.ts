/**
 * What activities, API and worker need of PostgreSQL; implemented once, in `services/store`.
 * All methods throw `database-unreachable` (retryable) when the database does not answer.
 */
import type { Permission } from '../access/permissions.ts';
import type { Json } from '../errors.ts';
import type { Approval, ApprovalSettlement, ApprovalState } from '../run/approval.ts';
import type { ModelPrice } from '../model/prices.ts';
import type {
  BudgetCaps,
  BudgetLedger,
  BudgetLine,
  BudgetName,
  BudgetShare,
  CapsChange,
  Usage,
} from '../run/budget.ts';
import type { RememberedFailure } from '../run/progress.ts';
import type { CheckVerdict, NewRunEvent, RunEvent, RunEventKind, RunStatus } from '../run/events.ts';
import type { ContextPolicy } from '../session/context-policy.ts';
import type { NewSessionEvent, SessionEvent } from '../session/transcript.ts';
import type { ToolDeeds, TurnFacts } from '../session/turn-facts.ts';
import type { Prd, Story } from '../ralph/prd.ts';
import type {
  EndTurnInput,
  FinishRunInput,
  Lease,
  ModelStepResult,
  OpenTurnResult,
  PlaceWorkInput,
  Placement,
  ReadyStoriesResult,
  RecordInput,
  ReloadPrdInput,
} from './activities.ts';
import type { RalphOptions, ReloadResult } from './ralph.ts';
import type { ChatAnswer } from './openai.ts';
import type { StatsStore } from './stats.ts';
import type { PushStore } from './push-store.ts';
import type { TaskStore } from './task-store.ts';

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
  /** Gates that were red and then green on the same files. */
  readonly flakyGates: readonly string[];
  /** Gates that were red before the run and no worse with a story's change. */
  readonly redGates: readonly string[];
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
  readonly feedback: {
    readonly reason: string;
    readonly message: string;
    readonly diagnosis?: string | undefined;
  } | null;
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
  /** The one failed story that is tried again; absent: all of them are. */
  readonly retry?: StoryRetry | undefined;
}

export interface StoryRetry {
  readonly storyId: string;
  /** What its agent is told; may be empty. */
  readonly hint: string;
}

export interface RunStore {
  /**
   * Creates the run and its stories, or opens the existing run for a further execution: stories follow the
   * PRD (a story whose `passes` the user reset is open again; a failed or blocked one is open again, see `retry`; new ones are
   * added, missing ones removed), caps and options are the new ones, `tries` starts from 0.
   * @returns the number of the execution
   */
  openRun(plan: RunPlan): Promise<number>;
  getRun(runId: string): Promise<RunRecord | undefined>;
  /** The run is not listed or found by its name any more, until it is started again; nothing of it is lost. Twice: deleted once. */
  deleteRun(runId: string): Promise<void>;
  /** Newest first. */
  listRuns(options: {
    readonly limit: number;
    /** Only those after this one: the last of the page before. */
    readonly before?: Pick<RunRecord, 'runId' | 'startedAt'> | undefined;
    /** Default: with them. */
    readonly withDeleted?: boolean;
  }): Promise<readonly RunRecord[]>;
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
  /** See `ProjectionActivities.reloadPrd`. */
  reloadPrd(input: ReloadPrdInput): Promise<ReloadResult>;
  /**
   * Remembers a failed attempt of a story and returns the newest of those that are remembered, oldest first. They are
   * forgotten when the story passes or its text changes, not by a further execution. Twice: remembered once.
   */
  rememberFailure(input: {
    readonly runId: string;
    readonly storyId: string;
    readonly failure: RememberedFailure;
  }): Promise<readonly RememberedFailure[]>;
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
  /** The newest event of each story among those kinds. */
  newestRunEvents(runId: string, kinds: readonly RunEventKind[]): Promise<readonly RunEvent[]>;
  /** How many events have a key that begins so. */
  countRunEvents(runId: string, options: { readonly keyPrefix: string }): Promise<number>;
  /**
   * Calls back (without payload) after events of any run were appended, with the run's id; with `null` when it cannot
   * know (it has just connected, or connected again): any run may have new events. Never fails: it connects again by itself
   * for as long as it is wanted. Returns the way to stop.
   */
  watchRunEvents(onAppend: (runId: string | null) => void): Promise<() => Promise<void>>;
}

/** `attempt`: of a story's attempt; `chat`: of a person; `agent`: started by another session. */
export const sessionKinds = ['attempt', 'chat', 'agent'] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** A row of a session's transcript. */
export interface SessionPlace {
  readonly sessionId: string;
  readonly seq: number;
}

/** What a new session is; what is left out is empty. */
export interface SessionPlan {
  readonly sessionId: string;
  readonly kind: SessionKind;
  readonly title?: string;
  /** Absolute; where its tools work. */
  readonly folder?: string | null;
  /** `provider/model[:effort]`. */
  readonly model?: string | null;
  /** Name of the agent's role, e.g. `build`. */
  readonly agent?: string;
  /** Absent: the default, see `defaultContextPolicy`. */
  readonly policy?: ContextPolicy;
}

export interface SessionRecord {
  readonly sessionId: string;
  readonly kind: SessionKind;
  readonly title: string;
  readonly folder: string | null;
  readonly model: string | null;
  readonly agent: string;
  readonly policy: ContextPolicy;
  /** What it was forked from. */
  readonly parent: SessionPlace | null;
  /** Seq of the newest row; a forked session goes on counting where it was forked. */
  readonly headSeq: number;
  readonly createdAt: Date;
  /** When the newest row was appended, or the session changed. */
  readonly updatedAt: Date;
  /** It was deleted: it is not listed any more, and all its rows are there. */
  readonly deletedAt: Date | null;
}

export interface SessionStore {
  /** Twice: the session stays as it is. A session that something is appended to without being created is an `attempt`. */
  createSession(plan: SessionPlan): Promise<void>;
  /** Deleted ones too. */
  getSession(sessionId: string): Promise<SessionRecord | undefined>;
  /** The last changed first; without deleted ones. */
  listSessions(options: {
    readonly limit: number;
    readonly kinds?: readonly SessionKind[];
    readonly folder?: string;
    /** Only those after this one: the last of the page before. */
    readonly before?: Pick<SessionRecord, 'sessionId' | 'updatedAt'>;
  }): Promise<readonly SessionRecord[]>;
  /**
   * Ids of sessions that are not deleted and are `part` or begin with it; the last changed first, at most 20. Transcripts of agents that
   * others have started only where `part` names those others.
   */
  findSessionIds(part: string): Promise<readonly string[]>;
  /** What is named changes; `model` and `policy` count from the next model call on. Throws `not-found`. */
  updateSession(
    sessionId: string,
    change: Partial<Pick<SessionRecord, 'model' | 'agent' | 'folder' | 'policy'>>,
  ): Promise<void>;
  /**
   * A session that begins with the rows of `from.sessionId` up to `from.seq` and goes its own way from there; no row is copied. What
   * `as` does not say is as in the parent. Twice: the session stays as it is. Throws `not-found`.
   */
  forkSession(from: SessionPlace, as: Partial<SessionPlan> & Pick<SessionPlan, 'sessionId'>): Promise<void>;
  /** Appends the row that says so, too. Twice with one key: renamed once. Throws `not-found`. */
  renameSession(sessionId: string, rename: { readonly key: string; readonly title: string }): Promise<void>;
  /** The session is not listed any more; no row is lost, and forks of it go on. Twice: deleted once. Throws `not-found`. */
  deleteSession(sessionId: string): Promise<void>;
  /** Appends in order, skipping keys that are there; wakes readers. */
  appendSessionEvents(sessionId: string, events: readonly NewSessionEvent[]): Promise<void>;
  /**
   * In order, with those of what it was forked from before its own: all rows, or a part of them.
   * @param options.last only the newest so many rows
   * @param options.afterSeq only rows with a greater seq
   * @param options.limit the first so many of them
   */
  readSession(
    sessionId: string,
    options?: { readonly last?: number } | { readonly afterSeq: number; readonly limit?: number },
  ): Promise<readonly SessionEvent[]>;
  /** Of the session's own rows. */
  hasSessionEvent(sessionId: string, key: string): Promise<boolean>;
  /** As `watchRunEvents`, for rows of sessions. */
  watchSessions(onAppend: (sessionId: string | null) => void): Promise<() => Promise<void>>;
}

/** A person's session as a run: its budget and its events. What is said in it is in the transcript of the same id. */
export interface SessionRun extends Pick<SessionRecord, 'sessionId' | 'title' | 'parent' | 'createdAt'> {
  readonly status: RunStatus;
  /** Absolute, on the host. */
  readonly folder: string;
  readonly hostId: string;
  /** Of its newest message. */
  readonly model: string;
  readonly agent: string;
  readonly caps: BudgetCaps;
  /** Turns begun. */
  readonly turns: number;
  readonly ledger: BudgetLedger;
  readonly usage: Usage;
  readonly outcomeMessage: string;
  /** When its newest row was appended, or it changed. */
  readonly usedAt: Date;
  /** When its newest turn was asked for. */
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  /** Of its events. */
  readonly headSeq: number;
}

/** What the API writes before it hands a message over. */
export interface SessionOpening extends Pick<
  SessionRun,
  'sessionId' | 'folder' | 'hostId' | 'title' | 'model' | 'agent'
> {
  /** Caps of the whole session; those that are absent stay as they are. */
  readonly caps: CapsChange;
}

export interface TurnPlan {
  readonly sessionId: string;
  readonly messageId: string;
  /** Written when the transcript has none. */
  readonly systemPrompt: string;
  /** Told before the message where the agent is another one than that of the turn before (`build` before the first). */
  readonly agentNotice: string;
  readonly text: string;
  readonly agent: string;
  readonly model: string;
}

export interface SessionRunStore {
  /** Makes the session where it is missing, or lets it be worked on again; one that is being worked on stays as it is. Returns the seq of its newest event. */
  openSession(opening: SessionOpening): Promise<number>;
  /**
   * A further session that begins with the rows up to `from.seq`, with nothing spent, and the parent's caps. Twice: it stays as it
   * is. Throws `not-found`.
   */
  forkSessionRun(from: SessionPlace, as: { readonly sessionId: string; readonly title: string }): Promise<void>;
  /** Deleted ones are not there. */
  getSessionRun(sessionId: string): Promise<SessionRun | undefined>;
  /** The one that was used last first; without deleted ones. */
  listSessionRuns(options: {
    readonly limit: number;
    readonly folder?: string;
    /** Only those after this one: the last of the page before. */
    readonly before?: Pick<SessionRun, 'sessionId' | 'usedAt'> | undefined;
  }): Promise<readonly SessionRun[]>;
  openTurn(plan: TurnPlan): Promise<OpenTurnResult>;
  endTurn(input: Omit<EndTurnInput, 'before'>, facts?: TurnFacts): Promise<void>;
  /** What the turn's tool calls have done, those of agents that it has started among them, oldest first, of each that could change anything. */
  turnDeeds(sessionId: string, messageId: string): Promise<readonly ToolDeeds[]>;
  /** Ends the turn of a session that nobody works on any more as an error; does nothing where none is under way. */
  abandonTurn(sessionId: string, message: string, options?: { readonly onlyIfStarting?: boolean }): Promise<void>;
}

export interface ModelCallReservation {
  readonly key: string;
  readonly runId: string;
  readonly storyId: string;
  readonly sessionId: string;
  readonly model: string;
  /** The most that the call can use and cost. */
  readonly tokens: number;
  readonly usd: number;
  readonly price: ModelPrice;
  /** Hard, like the run's caps. */
  readonly shares?: readonly BudgetShare[];
}

export type ReserveResult =
  /** So many tokens are held: fewer than asked for where an earlier try under this key got fewer. */
  | { readonly kind: 'reserved'; readonly tokens: number }
  /** Somebody else has stored an answer meanwhile. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'budget-exceeded'; readonly budget: BudgetName }
  /** Nothing is held: the line is reached, and `budget-line-reached` does not stand in the run's events yet. */
  | { readonly kind: 'budget-line'; readonly line: BudgetLine };

/** What one model was used for by one story. */
export interface ModelSpending {
  readonly storyId: string;
  readonly model: string;
  /** Answered or under way. */
  readonly calls: number;
  readonly usage: Usage;
  readonly reservedUsd: number;
  readonly reservedTokens: number;
  /** What the newest call was counted at. */
  readonly price: ModelPrice | null;
}

interface AnsweredCall {
  readonly key: string;
  readonly runId: string;
  readonly storyId: string;
  readonly sessionId: string;
  /** The one that answered. */
  readonly model: string;
  readonly result: Extract<ModelStepResult, { kind: 'answered' }>;
}

export interface ModelCallAnswer extends AnsweredCall {
  readonly sessionEvent: NewSessionEvent;
  readonly runEvents: readonly NewRunEvent[];
}

/** An answered call of a chat: nobody's transcript goes on with it. */
export interface ChatCallAnswer extends AnsweredCall {
  /** To be given again; absent for one that was cut off, or of no use. */
  readonly chat?: ChatAnswer;
}

/** Calls of chats; they are reserved and released like all others. */
export interface ChatStore {
  /**
   * The run that pays for what a principal chats on a day (`2026-11-21`), made where it is missing; `maxCostUsd` is its cap from now
   * on, null for none.
   * @returns its id
   */
  openChatRun(of: {
    readonly principal: string;
    readonly day: string;
    readonly maxCostUsd: number | null;
  }): Promise<string>;
  getChatCall(key: string): Promise<'reserved' | Pick<ChatCallAnswer, 'chat'> | undefined>;
  /** One transaction: usage of the run, the reservation's end. Twice: nothing more. */
  answerChatCall(answer: ChatCallAnswer): Promise<void>;
}

export interface ModelCallStore {
  /** The stored result of an answered call. */
  getModelCall(key: string): Promise<Extract<ModelStepResult, { kind: 'answered' }> | undefined>;
  /**
   * Reserves under the run's row lock, so that calls racing for the last cent cannot both win. A call that was
   * reserved before under the same key (and never answered) keeps its one reservation; for another model it is made anew.
   */
  reserveModelCall(call: ModelCallReservation): Promise<ReserveResult>;
  /** What an answered call has used, to size the next one of its session by. */
  modelCallUsage(key: string): Promise<{ readonly model: string; readonly usage: Usage } | undefined>;
  /** The greatest step of a transcript that a call was made or begun for; 0 when there is none. */
  lastModelStep(of: { readonly runId: string; readonly sessionId: string }): Promise<number>;
  /** In the order of stories and models. */
  spending(runId: string): Promise<readonly ModelSpending[]>;
  /** One transaction: transcript, usage of run and story, the reservation's end, events. Twice: nothing more. */
  answerModelCall(answer: ModelCallAnswer): Promise<void>;
  /** Gives the reservation back after an error that is known not to have cost anything. */
  releaseModelCall(key: string): Promise<void>;
  /** Of a run of any kind. */
  budget(runId: string): Promise<{ readonly caps: BudgetCaps; readonly ledger: BudgetLedger }>;
}

/** What happens outside of the store and must not happen twice. Model calls have their own table, with their reservation. */
export type EffectKind = 'tool-call' | 'commit' | 'merge' | 'worktree-removal' | 'hook';

export interface EffectIdentity {
  /** Made of the workflow's inputs, see `domain/run/ids.ts`: the same for every try. */
  readonly key: string;
  readonly runId: string;
  readonly storyId: string | null;
  readonly kind: EffectKind;
}

export type EffectSettlement =
  | { readonly state: 'done'; readonly outcome: unknown }
  | { readonly state: 'interrupted' };

/**
 * - `sent`: it may have happened: it is under way, or whoever began it died
 * - `done`: it has happened; the outcome is frozen
 * - `interrupted`: it did not happen, or was cut off and undone as far as it can be; it may be begun again
 */
export type EffectState = 'sent' | 'done' | 'interrupted';

export type EffectBeginning =
  /** Nobody has begun it, or it was cut off and undone: it is `sent` now. */
  | { readonly kind: 'begun' }
  /** It was `sent` before and not settled: whether it has happened has to be found out. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'done'; readonly outcome: unknown };

export interface EffectRecord extends EffectIdentity {
  readonly state: EffectState;
  /** How often it was begun. */
  readonly tries: number;
  /** JSON; null unless `done`. */
  readonly outcome: unknown;
  readonly sentAt: Date;
  readonly settledAt: Date | null;
}

export interface EffectStore {
  /** Call it before the effect: once it has returned `begun`, the effect is known to everybody after a crash. */
  beginEffect(effect: EffectIdentity): Promise<EffectBeginning>;
  /** The first outcome is frozen: settling a `done` effect changes nothing. */
  settleEffect(key: string, settlement: EffectSettlement): Promise<void>;
  /** Undefined when nobody has begun it. */
  getEffect(key: string): Promise<EffectRecord | undefined>;
  /** Keys of the tool calls for a story that were begun, and of which nobody knows how they have ended. */
  openToolCalls(of: { readonly runId: string; readonly storyId: string }): Promise<readonly string[]>;
  /** In the order of their newest beginning. */
  listEffects(runId: string): Promise<readonly EffectRecord[]>;
}

export interface WorkspaceRecord {
  readonly workspaceId: string;
  /**
   * - `worktree`: of git, made for a story; what a lost tool call left is undone from the checkpoint
   * - `folder`: a person's own, worked on in place; nothing of it is ever undone, and branch, base and checkpoint are empty
   */
  readonly kind: 'worktree' | 'folder';
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
  /** Number of the lease under which it was made or taken over; 0 in a run that is not shared. */
  readonly lease: number;
  /** Where its checkpoints are kept besides; null in a run that is not shared. */
  readonly remote: string | null;
}

export interface WorkspaceStore {
  getWorkspace(workspaceId: string): Promise<WorkspaceRecord | undefined>;
  putWorkspace(workspace: WorkspaceRecord): Promise<void>;
  deleteWorkspace(workspaceId: string): Promise<void>;
  listWorkspaces(of: { readonly hostId: string; readonly runId: string }): Promise<readonly WorkspaceRecord[]>;
  /**
   * One transaction: the tool's result in the transcript, the workspace's checkpoint (where it moved), events, and how the
   * call's effect, if it has one, was settled. The effect has the key of the transcript's row.
   */
  recordToolResult(input: {
    readonly sessionId: string;
    readonly sessionEvent: NewSessionEvent;
    readonly workspaceId: string;
    readonly checkpoint: string | null;
    readonly runId: string;
    readonly runEvents: readonly NewRunEvent[];
    readonly effect: EffectSettlement;
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
  /** The commit that has the tree; null for a workspace, whose files are in no commit yet. */
  readonly commit: string | null;
  /** It was green. */
  readonly ok: boolean;
  readonly verdict: CheckVerdict;
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
  /**
   * What a red gate is held against: the newest check of it on the run's base or, for `merged`, on the newest merge that has reached
   * the run branch, so that what a story has mended stays mended. Undefined when the gate was not run there.
   */
  referenceCheck(runId: string, gate: string, where: 'workspace' | 'merged'): Promise<CheckRecord | undefined>;
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
  /** Activities that it runs now. */
  readonly slotsUsed: number;
  readonly seenAt: Date;
  /** Stories of active runs that it holds a lease on. */
  readonly leases: number;
}

export interface HostStore {
  /** Called every few seconds by a worker. */
  seeHost(host: Omit<HostRecord, 'seenAt' | 'leases'>): Promise<void>;
  listHosts(): Promise<readonly HostRecord[]>;
}

export interface LeaseStore {
  placeWork(input: PlaceWorkInput): Promise<Placement>;
  /** Throws `lease-lost` when it is not the newest of its id. */
  requireLease(lease: Lease): Promise<void>;
  /** Takes leases back from hosts whose runs are over; returns how many. */
  releaseLeases(): Promise<number>;
}

export interface ApprovalRecord extends Approval {
  readonly state: ApprovalState;
  readonly answer: string | null;
  readonly answeredBy: string | null;
  readonly note: string;
  readonly createdAt: Date;
  readonly answeredAt: Date | null;
}

export interface ApprovalStore {
  requestApproval(approval: Approval): Promise<void>;
  settleApproval(settlement: ApprovalSettlement): Promise<void>;
  getApproval(approvalId: string): Promise<ApprovalRecord | undefined>;
  /** Oldest first. */
  listPendingApprovals(options?: { readonly runId?: string }): Promise<readonly ApprovalRecord[]>;
}

/** What an agent has noted about a repository. */
export interface MemoryRecord {
  /** Ten hex digits, made of the content. */
  readonly memoryId: string;
  readonly content: string;
  readonly tags: readonly string[];
  /** From 1 to 5. */
  readonly importance: number;
  readonly createdAt: Date;
}

export interface MemoryStore {
  /** The same content again replaces its tags and importance. @returns its id */
  saveMemory(memory: {
    readonly repository: string;
    readonly content: string;
    readonly tags: readonly string[];
    readonly importance: number;
    readonly sessionId: string;
  }): Promise<string>;
  /** Those that hold any of the words (English stems), best first. */
  searchMemories(search: {
    readonly repository: string;
    readonly query: string;
    readonly limit: number;
  }): Promise<readonly MemoryRecord[]>;
  /** Newest first. */
  listMemories(list: {
    readonly repository: string;
    readonly tag?: string | undefined;
    readonly limit: number;
  }): Promise<readonly MemoryRecord[]>;
  getMemory(repository: string, memoryId: string): Promise<MemoryRecord | undefined>;
  /** Most used first. */
  memoryTags(repository: string): Promise<readonly { readonly tag: string; readonly count: number }[]>;
  /** False when there was none. */
  deleteMemory(repository: string, memoryId: string): Promise<boolean>;
}

/** A key without its secret, of which only the SHA-256 is kept. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  /** The principal that made it. */
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface NamedWorkspace {
  readonly name: string;
  readonly hostId: string;
  /** Absolute, symbolic links resolved when it was named. */
  readonly folder: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export interface AuditEntry {
  readonly principal: string;
  /** `POST /v1/tokens`, an A2A method, `tokens/call` … */
  readonly action: string;
  readonly outcome: 'done' | 'denied';
  readonly detail: { readonly [key: string]: Json };
}

/** Entries of a tenant are numbered from 1; each one's hash covers its own content and the hash before it. */
export interface AuditRecord extends AuditEntry {
  readonly seq: number;
  readonly at: Date;
  /** SHA-256, hex. */
  readonly hash: string;
}

export interface AccessStore {
  addApiKey(
    key: Omit<ApiKeyRecord, 'createdAt' | 'lastUsedAt' | 'revokedAt'> & { readonly secretHash: Uint8Array },
  ): Promise<ApiKeyRecord>;
  /** Newest first. */
  listApiKeys(): Promise<readonly ApiKeyRecord[]>;
  /** Also those that hold no more. */
  findApiKey(keyId: string): Promise<(ApiKeyRecord & { readonly secretHash: Uint8Array }) | undefined>;
  noteApiKeyUse(keyId: string): Promise<void>;
  /** Twice is once. @param at when it ends to hold; an earlier end stays. Throws `not-found`. */
  revokeApiKey(keyId: string, at: Date): Promise<ApiKeyRecord>;
  /** A name that is there already gets the new folder. */
  nameWorkspace(workspace: Omit<NamedWorkspace, 'createdAt'>): Promise<NamedWorkspace>;
  /** By name. */
  listNamedWorkspaces(): Promise<readonly NamedWorkspace[]>;
  /** @returns what it was; undefined when there was none */
  forgetWorkspace(name: string): Promise<NamedWorkspace | undefined>;
  appendAudit(entry: AuditEntry): Promise<void>;
  /** Newest first. @param before only those with a smaller seq */
  readAudit(page: { readonly before?: number | undefined; readonly limit: number }): Promise<readonly AuditRecord[]>;
  /** The first entry whose hash does not fit what it says or what is before it; undefined when all do. */
  verifyAudit(): Promise<number | undefined>;
}

/** A request that its sender has given a key. */
export interface RequestKey {
  readonly principal: string;
  readonly key: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Requests with a key, each kept for 24 hours. */
export interface RequestStore {
  /**
   * `begun`: it is the caller's to do, for `holdMs`, under an id that stays the same when it has to be done again; `another`: the key
   * came with another request before.
   */
  beginRequest(
    request: RequestKey & { readonly requestHash: Uint8Array; readonly holdMs: number },
  ): Promise<
    | { readonly kind: 'begun'; readonly requestId: string }
    | { readonly kind: 'under-way' | 'another' }
    | { readonly kind: 'answered'; readonly answer: StoredAnswer }
  >;
  /** For `holdMs` from now on; 0: whoever sends it again may do it. */
  holdRequest(request: RequestKey, holdMs: number): Promise<void>;
  answerRequest(request: RequestKey, answer: StoredAnswer): Promise<void>;
}

export type Store = AccessStore &
  RequestStore &
  StatsStore &
  TaskStore &
  PushStore &
  ApprovalStore &
  RunStore &
  SessionRunStore &
  SessionStore &
  ModelCallStore &
  ChatStore &
  EffectStore &
  WorkspaceStore &
  CheckStore &
  BlobStore &
  LeaseStore &
  HostStore &
  MemoryStore;
