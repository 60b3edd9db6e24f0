/**
 * What workflows ask of the outside world. Implementations live in `activities/` and end in
 * `satisfies XActivities`. Arguments and results hold ids, counters, SHAs and short texts only
 * (16 KB at most): transcripts, diffs and outputs stay in the store.
 *
 * Every activity may run twice (a worker can die after the effect and before the answer): each says
 * what makes the second run harmless.
 */
import type { Nudge, ReloadRequest, ReloadResult, WorkspaceStart } from './ralph.ts';
import type { BesideTask, SessionMessage } from './session.ts';
import type { AgentQuestion, Approval, ApprovalSettlement, Decision } from '../run/approval.ts';
import type { AgentEnd, AttemptFailure, CheckVerdict, NewRunEvent, RunOutcome, RunStatus } from '../run/events.ts';
import type { BudgetLine, BudgetName, BudgetShare, CapsChange, Usage } from '../run/budget.ts';
import type { ProgressVerdict } from '../run/progress.ts';
import type { HeldStory } from '../ralph/overlap.ts';
import type { AgentRequest } from '../session/agent-requests.ts';
import type { AgentRules } from '../session/agents.ts';
import type { AnswerProblem } from '../session/answer-problems.ts';
import type { HookEvent } from '../session/hook-points.ts';

export interface AttemptRef {
  readonly runId: string;
  readonly storyId: string;
  readonly attempt: number;
}

/**
 * A host's right to do a story's work, or what is done for a run as a whole. Whoever holds it is named in the store; the number
 * grows with each placement, so that what was begun under an older one is known and refused.
 */
export interface Lease {
  /** The workspace's id, or the run's. */
  readonly leaseId: string;
  readonly hostId: string;
  readonly number: number;
}

// ── model ────────────────────────────────────────────────────────────────────

export interface ModelStepInput extends AttemptRef, AgentRules {
  readonly sessionId: string;
  /** From 1. */
  readonly step: number;
  /** Of the turn, in a session with several; default 1. */
  readonly firstStep?: number;
  /** `provider/model[:effort]`. */
  readonly model: string;
  /** Answers in its place after three refused tries. */
  readonly fallbackModel?: string;
  /** What the agent and those that it was started by may spend of the run's money. */
  readonly shares?: readonly BudgetShare[];
}

/**
 * What running a tool twice can do: `read` nothing, `network` nothing but asking another machine again, `write` nothing once the
 * workspace was put back to its checkpoint, `shell` anything.
 */
export type ToolRisk = 'read' | 'network' | 'write' | 'shell';

export interface ToolCallRef {
  readonly id: string;
  readonly name: string;
  readonly risk: ToolRisk;
  /** What a person would say: `bash npm test`. At most 100 characters. */
  readonly label: string;
  /** A person is to be asked before it runs. */
  readonly ask?: AskReason | undefined;
  /** It is not run by a host: another agent does what it asks for, and its answer is the result. */
  readonly spawns?: SpawnedAgent | undefined;
  /** It is not run by a host: it is about agents that work beside the caller, and its workflow answers it. */
  readonly beside?: AgentRequest | undefined;
  /** It is not run by a host: a person is asked, and the answer is the result. */
  readonly asks?: CallThatAsks | undefined;
}

/** `question`: what an agent wants to know; `plan`: whether its plan is to be carried out. */
export type CallThatAsks = 'question' | 'plan';

/** What an agent that another one starts may use. */
export interface SpawnedAgent {
  readonly readsOnly: boolean;
  /** Model calls. */
  readonly maxSteps: number;
  /** Its share of the run's money, with all that it starts itself; absent: what the run's caps leave. */
  readonly maxCostUsd?: number | undefined;
}

export interface AskReason {
  /** What it does, for people: `it sends data to another machine`. */
  readonly why: string;
  /** It can be undone on this machine. */
  readonly isSafe: boolean;
}

export type ModelStepResult =
  | {
      readonly kind: 'answered';
      /** `tool-calls`: run them and go on; `finished`: the model asks for completion; `length`: cut off, go on. */
      readonly stop: 'tool-calls' | 'finished' | 'length';
      readonly toolCalls: readonly ToolCallRef[];
      readonly usage: Usage;
      /** The answer is of no use, whatever `stop` says: go on, unless too many in a row were so. */
      readonly problem?: { readonly kind: AnswerProblem; readonly inARow: number };
      /** The agent was in plan mode when it answered, see `planOf`. */
      readonly isPlanning?: boolean | undefined;
    }
  | { readonly kind: 'budget-exceeded'; readonly budget: BudgetName }
  /** Nothing was asked: a person decides first whether the run goes on. */
  | { readonly kind: 'budget-line'; readonly line: BudgetLine };

export interface ModelActivities {
  /**
   * Reserves the call's price, sends the session's transcript to the model and appends the answer.
   * Twice: an answer that was stored under the step's key is returned without a call.
   * A provider that is busy or away is waited for by failing with `details.retryAfterMs` (the engine's timer is the wait), after
   * the event `model-waiting`; so is one whose key or address this worker was started without. Throws `provider-*`, `model-unknown`,
   * `script-*`.
   */
  modelStep(input: ModelStepInput): Promise<ModelStepResult>;
}

// ── tools and workspaces (on the workspace's host) ───────────────────────────

export interface OpenSessionInput extends AttemptRef {
  readonly sessionId: string;
  /** What the workspace was prepared from: conflicts that came with it are shown to the agent. */
  readonly start?: WorkspaceStart;
}

/** A call of a tool that the agent may not use is refused: the model is told. */
export interface ToolCallInput extends AttemptRef, AgentRules {
  readonly sessionId: string;
  readonly step: number;
  readonly callId: string;
  /** It only reads since it is in plan mode: said when a call is refused. */
  readonly isPlanning?: boolean;
}

export interface ToolCallResult {
  readonly ok: boolean;
  readonly durationMs: number;
  /** How many times in a row the step's calls gave the same results, see `repeatsOf`; below 2 it is none. */
  readonly repeats: number;
}

export interface RecoverToolCallResult {
  /** `recorded`: its result is in the transcript after all; `rerun`: run it again; `interrupted`: the model was told. */
  readonly kind: 'recorded' | 'rerun' | 'interrupted';
  /** It was lost while it ran, not on its way there. */
  readonly isBegun: boolean;
}

export interface ToolActivities {
  /** Writes the system prompt and the story's prompt as the session's first rows. Twice: rows that are there stay. */
  openSession(input: OpenSessionInput): Promise<void>;
  /**
   * Runs one tool call of the transcript in the story's workspace and appends its result; a tool's own failure is a
   * result (`ok: false`), not an error. A call that repeats itself is told to the model. Twice: a recorded result is returned as it is; a mutating tool is
   * never tried again by itself (one attempt).
   */
  toolCall(input: ToolCallInput): Promise<ToolCallResult>;
  /** Tells the model, as the call's result, that a person (or the run's policy) has denied it. Twice: told once. */
  denyToolCall(input: ToolCallInput & { readonly reason: string }): Promise<void>;
  /**
   * After a mutating tool call was lost: asks for a rerun when it had not begun. Else puts the workspace back to its checkpoint, then
   * either asks for a rerun (`write`) or tells the model that the call was interrupted (`shell`).
   */
  recoverToolCall(input: ToolCallInput & { readonly risk: ToolRisk }): Promise<RecoverToolCallResult>;
}

export interface OpenRepositoryResult {
  readonly base: string;
  /** Where the run branch points now. */
  readonly tip: string;
}

export interface PrepareWorkspaceResult {
  readonly path: string;
  /** The commit that the story's change is measured against. */
  readonly base: string;
}

export type TakeOverResult =
  | { readonly kind: 'taken-over'; readonly path: string }
  /** The story has no workspace, or its files are lost with its host: `prepareWorkspace` makes one. */
  | { readonly kind: 'nothing' };

export interface CommitStoryInput extends AttemptRef {}

export type CommitStoryResult =
  /** `files` are the first of the changed files, at most 40. */
  | {
      readonly kind: 'committed';
      readonly commit: string;
      readonly filesChanged: number;
      readonly files: readonly string[];
    }
  /** `base` is where the story started; `isAllowed` when the story may pass like that. */
  | { readonly kind: 'nothing-changed'; readonly isAllowed: boolean; readonly base: string }
  /** A changed file holds a block of conflict markers that its base has not; `line` is where it begins. */
  | { readonly kind: 'conflict-markers'; readonly file: string; readonly line: number };

export type MergeStoryResult =
  /** `commit` lies on `tip`; the integration worktree holds its tree, ready for the gates. */
  | { readonly kind: 'merged'; readonly commit: string; readonly tip: string }
  /** The run branch has this attempt's commit already. */
  | { readonly kind: 'already-merged'; readonly commit: string }
  | { readonly kind: 'conflict'; readonly files: readonly string[] };

export type AdvanceBranchResult =
  | { readonly kind: 'advanced' }
  /** Somebody else moved the branch: merge again. */
  | { readonly kind: 'moved' }
  /** The branch is checked out at `path`: it is not moved under somebody's feet. */
  | { readonly kind: 'checked-out'; readonly path: string };

export interface RevertStoriesInput {
  readonly runId: string;
  /** At most 50. */
  readonly storyIds: readonly string[];
}

export type RevertStoriesResult =
  /**
   * `commit` lies on `tip` (or is it, where all is reverted already); the integration worktree holds its tree, ready for the
   * gates. `reverts` names each story with the commit that takes `reverted` off the branch.
   */
  | {
      readonly kind: 'reverted';
      readonly tip: string;
      readonly commit: string;
      readonly reverts: readonly { readonly storyId: string; readonly commit: string; readonly reverted: string }[];
    }
  /** What came later changed the same places. */
  | { readonly kind: 'conflict'; readonly storyId: string; readonly files: readonly string[] }
  /** The story's commit is not on the run branch any more: somebody rewrote it. */
  | { readonly kind: 'not-on-branch'; readonly storyId: string };

export interface WorkspaceActivities {
  /** Makes sure of the run branch and of `.codetether-worktrees/` being ignored. Twice: finds both there. */
  openRepository(input: { readonly runId: string }): Promise<OpenRepositoryResult>;
  /** Twice: the same worktree in the same state, see {@link WorkspaceStart}. */
  prepareWorkspace(input: AttemptRef & { readonly start: WorkspaceStart }): Promise<PrepareWorkspaceResult>;
  /**
   * For a shared run, on the story's new host: makes the worktree from the checkpoint that the shared remote has, and tells the agent, if
   * there is one. Twice: finds it made.
   */
  takeOverWorkspace(input: AttemptRef): Promise<TakeOverResult>;
  /**
   * One commit with all of the story's changes and the trailers `Codetether-Run`, `-Story`, `-Attempt`, on the workspace's base.
   * Twice: the commit with these trailers is found and returned.
   */
  commitStory(input: CommitStoryInput): Promise<CommitStoryResult>;
  /** Puts the story's commit onto the run branch's tip without moving the branch; checks it out for the gates. */
  mergeStory(input: AttemptRef & { readonly commit: string }): Promise<MergeStoryResult>;
  /** Makes the commits that take stories off the run branch, without moving the branch. Twice: finds those that are on the branch. */
  revertStories(input: RevertStoriesInput): Promise<RevertStoriesResult>;
  /** Moves the run branch from `tip` to `commit` by compare-and-swap. Twice: `advanced`, since it is there. */
  advanceBranch(input: {
    readonly runId: string;
    readonly tip: string;
    readonly commit: string;
  }): Promise<AdvanceBranchResult>;
  /** Removes the story's worktree and branch. Twice: nothing left to remove. */
  removeWorkspace(input: AttemptRef): Promise<void>;
  /** Removes the integration worktree and what else the run needed only while it ran. */
  closeRepository(input: {
    readonly runId: string;
  }): Promise<{ readonly tip: string | null; readonly commits: number }>;
}

// ── gates (on the host) ──────────────────────────────────────────────────────

export interface GateInput {
  readonly runId: string;
  readonly gate: string;
  readonly where: 'baseline' | 'workspace' | 'merged';
  /** Absent for the baseline. */
  readonly storyId?: string;
  readonly attempt?: number;
  /** For `merged` only: what is checked; it is checked out anew, whatever the checks before have left. */
  readonly commit?: string | undefined;
}

export interface StoryCheckInput extends AttemptRef, Pick<GateInput, 'commit'> {
  readonly where: 'workspace' | 'merged';
}

export interface CheckResult {
  /** It was green. */
  readonly ok: boolean;
  /** Only `red` stops a story. */
  readonly verdict: CheckVerdict;
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** What failed, for people: at most 300 characters. The whole output is in the store. */
  readonly summary: string;
}

export type InspectChangeResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface GateActivities {
  /**
   * Compares a story's files with what they started from: whether what defines the gates, or a test that was there, was changed
   * other than the story allows. A message names each such file and why. May run any number of times.
   */
  inspectChange(input: StoryCheckInput): Promise<InspectChangeResult>;
  /**
   * Runs one of the PRD's quality checks, a second time when it was red and has left the files alone, and compares it with the
   * run's baseline, which must have been recorded. Appends `gate-ended` (or `baseline-gate-ended`) to the run's events; its output is kept for the
   * next attempt. A gate may be run any number of times.
   */
  runGate(input: GateInput): Promise<CheckResult>;
  /** Runs the story's verification steps, all of them, and appends `gate-ended` with the gate `verification`; failures are joined as `step N: reason`. */
  runVerification(input: StoryCheckInput): Promise<CheckResult>;
}

// ── progress (on the host) ───────────────────────────────────────────────────

export interface ProgressActivities {
  /**
   * Remembers a failed attempt for its story, with the tree that it left, and says whether the story gets anywhere; see
   * `judgeProgress`. Never fails for want of a workspace. Twice: the attempt is remembered once.
   */
  judgeFailure(
    input: AttemptRef & { readonly reason: AttemptFailure; readonly message: string },
  ): Promise<ProgressVerdict>;
}

// ── sessions ─────────────────────────────────────────────────────────────────

export type OpenTurnResult =
  | {
      readonly kind: 'opened';
      readonly turn: number;
      readonly firstStep: number;
      /** Blob with the folder's `FolderState`, where the turn may change it. */
      readonly before?: string;
      /** Why nobody can work on it. */
      readonly problem?: { readonly code: string; readonly message: string };
    }
  /** The message was answered before. */
  | { readonly kind: 'answered' };

export interface RunHooksInput extends AttemptRef {
  readonly sessionId: string;
  /** Blob with a `TurnHooks`. */
  readonly hooks: string;
  readonly event: HookEvent;
  readonly step: number;
  /** Of the tool call that it is about. */
  readonly callId?: string;
  /** `turn-end`: there is no further round for a hook that asks for one. */
  readonly isLastRound?: boolean;
}

export type RunHooksResult =
  | { readonly kind: 'passed' }
  /** `before-tool`: the call may not be made; `turn-end`: one more round is asked for. At most 2,000 characters. */
  | { readonly kind: 'denied'; readonly reason: string };

/** On the host of the session's folder. */
export interface SessionActivities {
  /**
   * Runs the commands for an event one after the other, up to one that denies, and tells the model what it has to know. Twice: what has
   * ended is not run again; what was cut off neither, and counts as a no before a tool call.
   */
  runHooks(input: RunHooksInput): Promise<RunHooksResult>;
  /**
   * Makes the message the newest row of the transcript, after the system prompt where that is missing, and the session's run
   * running. Twice: the same turn.
   */
  openTurn(input: SessionMessage & { readonly sessionId: string }): Promise<OpenTurnResult>;
  /** Writes `turn-ended` with the answer and what the turn has changed and run, and the run's state. Twice: written once. */
  endTurn(input: EndTurnInput): Promise<void>;
  /** Looks up an agent that is not built in, as its file is now. Changes nothing. */
  findAgent(input: AttemptRef & { readonly agent: string }): Promise<FindAgentResult>;
}

export type FindAgentResult =
  | {
      readonly kind: 'found';
      readonly rules: AgentRules;
      readonly maxSteps: number;
      /** `provider/model[:effort]`; absent: that of its starter. */
      readonly model?: string;
      /** Blob of what it is told. */
      readonly prompt: string;
    }
  /** Why it cannot be started, with the names that there are. At most 1,000 characters. */
  | { readonly kind: 'not-found'; readonly message: string };

/** An agent that another one has started. */
export interface AgentRef extends AttemptRef {
  /** Its transcript. */
  readonly sessionId: string;
  /** The call that has started it. */
  readonly parentSessionId: string;
  readonly step: number;
  readonly callId: string;
}

export interface CloseAgentInput extends AgentRef {
  /** It works beside its starter: the call that has started it has been answered. */
  readonly isBeside: boolean;
  /** `finished`: its newest answer is the call's result. */
  readonly end: AgentEnd;
  readonly message: string;
  readonly durationMs: number;
}

export interface OpenAgentInput extends AgentRef {
  readonly readsOnly: boolean;
  /** `provider/model[:effort]`. */
  readonly model: string;
  readonly beside?: BesideTask;
}

/** What a call about agents that work beside the caller is answered. */
export interface AnswerAgentCallInput extends AttemptRef {
  readonly sessionId: string;
  readonly step: number;
  readonly callId: string;
  readonly label: string;
  readonly ok: boolean;
  /** How long it has waited. */
  readonly durationMs: number;
  /** At most 6,000 characters. */
  readonly text: string;
  /** Their answers stand below the text. */
  readonly ended: readonly {
    readonly sessionId: string;
    readonly name: string;
    readonly end: AgentEnd;
    readonly message: string;
  }[];
}

export interface AskInput extends ToolCallInput {
  readonly asks: CallThatAsks;
}

export type OpenAskResult =
  | { readonly kind: 'ask'; readonly question: Omit<AgentQuestion, 'storyId'> | Omit<Decision, 'storyId'> }
  /** Nobody is to be asked: the call has its result. */
  | { readonly kind: 'settled' };

export interface CloseAskInput extends AskInput {
  readonly settlement: ApprovalSettlement;
  readonly durationMs: number;
}

export interface EndTurnInput {
  readonly sessionId: string;
  readonly messageId: string;
  readonly turn: number;
  readonly outcome: RunOutcome;
  readonly message: string;
  readonly code: string | null;
  readonly durationMs: number;
  /** Another message waits: the run goes on. */
  readonly goesOn: boolean;
  /** As of `OpenTurnResult`. */
  readonly before?: string;
}

export type CheckAnswerResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** Database work. */
export interface SessionProjections {
  /**
   * Writes the started agent's transcript: who it is, and the task that the call names; a further task is told below what is there.
   * Twice: rows that are there stay.
   * @returns the number of the task's first step
   */
  openAgent(input: OpenAgentInput): Promise<{ readonly firstStep: number }>;
  /**
   * Writes its answer, or why there is none, as the result of the call that has started it; of one that works beside its starter only
   * that it has ended. Twice: written once.
   */
  closeAgent(input: CloseAgentInput): Promise<void>;
  /** Tells an agent what the one that has started it says in a call. Twice: told once. */
  tellAgent(input: AgentRef): Promise<void>;
  /** Writes the result of a call about agents that work beside the caller. Twice: written once. */
  answerAgentCall(input: AnswerAgentCallInput): Promise<void>;
  /** Tells an agent that wants to end which of those beside it still work, and whose answer it has not looked at. Twice: told once. */
  remindOfAgents(input: {
    readonly sessionId: string;
    readonly step: number;
    readonly working: readonly string[];
    readonly unread: readonly string[];
  }): Promise<void>;
  /** Reads what a person is to be asked by a tool call, and says that it has begun. Twice: the same. */
  openAsk(input: AskInput): Promise<OpenAskResult>;
  /** Tells the model what was answered, or that nobody has, as the call's result. Twice: told once. */
  closeAsk(input: CloseAskInput): Promise<void>;
  /** Whether the newest answer follows the JSON schema in the blob. @param tell the model is told what is wrong, once a step */
  checkAnswer(input: {
    readonly sessionId: string;
    readonly outputSchema: string;
    readonly step: number;
    readonly tell: boolean;
  }): Promise<CheckAnswerResult>;
}

// ── PRD file (on the host) ───────────────────────────────────────────────────

export interface PrdFileActivities {
  /**
   * Writes the stories' `passes` into prd.json, atomically, keeping all else as it is in the file now (the
   * user may be editing it), and appends the entries of finished attempts to progress.txt. On another host than the run's own only a
   * warning is written. Twice: the same files.
   */
  syncPrdFiles(input: { readonly runId: string }): Promise<void>;
}

// ── housekeeping (on the host) ───────────────────────────────────────────────

/** A worktree, or a branch or other ref, that is named as those of runs are; or a build folder in such a worktree. */
export interface Leftover {
  /** Null for a run that this database does not know. */
  readonly runId: string | null;
  readonly path: string | null;
  readonly branch: string | null;
  /**
   * - `left-over`: of a run that is over, and of no use: it can be removed
   * - `kept`: a story that has not passed goes on there, or somebody has the branch checked out
   * - `unknown`: of no run that this database knows; never removed
   */
  readonly state: 'left-over' | 'removed' | 'failed' | 'kept' | 'unknown';
  /** Why it could not be removed. */
  readonly error?: string;
}

/**
 * - `worktrees`: worktrees only; their branches and refs stay
 * - `artifacts`: build folders in worktrees, also in those that are kept; nothing else
 *
 * Default: worktrees, branches and refs.
 */
export type CleanUpWhat = 'worktrees' | 'artifacts';

export interface CleanUpResult {
  /** At most 50. */
  readonly entries: readonly Leftover[];
  /** How many more there are. */
  readonly more: number;
}

export interface HousekeepingActivities {
  /** Finds what runs that are over have left behind, and removes it if told to. Nothing of a run that is active is looked at. */
  cleanUp(input: { readonly apply: boolean; readonly what?: CleanUpWhat }): Promise<CleanUpResult>;
}

export type HostActivities = ToolActivities &
  HousekeepingActivities &
  SessionActivities &
  WorkspaceActivities &
  GateActivities &
  ProgressActivities &
  PrdFileActivities;

// ── projections (quick, idempotent database work) ───────────────────────────

export interface ReadyStory {
  readonly storyId: string;
  /** At most 80 characters. */
  readonly title: string;
  /** The number that its next attempt has. */
  readonly attempt: number;
  /** Attempts that this execution has started so far. */
  readonly tries: number;
  readonly verificationSteps: number;
}

export interface ReadyStoriesResult {
  readonly ready: readonly ReadyStory[];
  /** Stories that could start but are likely to change what another one is changing; the best 20. */
  readonly held: readonly HeldStory[];
  readonly total: number;
  readonly passed: number;
  /** Neither passed, nor failed, nor blocked, nor in flight. */
  readonly open: number;
}

export interface RunPatch {
  readonly status?: RunStatus;
  readonly base?: string;
  readonly tip?: string;
  readonly outcomeMessage?: string;
  readonly caps?: CapsChange;
}

export interface StoryPatch {
  readonly storyId: string;
  readonly status?: 'open' | 'running' | 'passed' | 'failed';
  readonly attempts?: number;
  /** `null`: the story has none on the run branch any more. */
  readonly commit?: string | null;
  /** What the next attempt is told; `null` clears it. `diagnosis`: it goes round in circles. */
  readonly feedback?: { readonly reason: string; readonly message: string; readonly diagnosis?: string } | null;
  /** Files that the attempt's commit changes, some of them where they are many. */
  readonly files?: readonly string[];
  /** Time that the attempt took; added to the story's. */
  readonly addDurationMs?: number;
}

/** One transaction: events, run and stories together; nothing of it happens a second time under the first event's key. */
export interface RecordInput {
  readonly runId: string;
  readonly events: readonly NewRunEvent[];
  readonly run?: RunPatch;
  readonly story?: StoryPatch;
}

export interface FinishRunInput {
  readonly runId: string;
  readonly execution: number;
  readonly outcome: RunOutcome;
  readonly message: string;
  readonly tip: string | null;
  readonly commits: number;
  readonly durationMs: number;
}

export interface ReloadPrdInput extends ReloadRequest {
  readonly runId: string;
  /** Stories that are worked on. */
  readonly inFlight: readonly string[];
  /** Those of them that are being merged. */
  readonly merging: readonly string[];
}

export interface PlaceWorkInput {
  readonly runId: string;
  /** Null: what is done for the run as a whole. */
  readonly storyId: string | null;
}

export interface Placement {
  readonly lease: Lease;
  /** How long the host counts as alive without another sign of it. */
  readonly expiresInMs: number;
  /** The story's workspace is not under this lease yet, see `takeOverWorkspace`. */
  readonly takeOver: boolean;
}

export interface ProjectionActivities extends SessionProjections {
  /**
   * Names the host that does a story of a shared run, or what is done for the run as a whole. A host that has it and is alive keeps it; else
   * one that is alive gets it, with `story-placed` and `host-lost`. Throws `hosts-lost`. Twice: the same answer.
   */
  placeWork(input: PlaceWorkInput): Promise<Placement>;
  /** Reads which stories may start now, in order; changes nothing. */
  readyStories(input: {
    readonly runId: string;
    readonly inFlight: readonly string[];
    readonly limit: number;
  }): Promise<ReadyStoriesResult>;
  record(input: RecordInput): Promise<void>;
  /** Appends a person's message to an attempt's transcript, as the user's, and `agent-nudged`. Twice: told once. */
  nudgeAgent(input: AttemptRef & Nudge & { readonly sessionId: string }): Promise<void>;
  /** Writes a pending approval and `approval-requested`. Twice: the row that is there stays. */
  requestApproval(input: Approval): Promise<void>;
  /** Ends a pending approval and writes `approval-answered`. Twice: the first answer stays. */
  settleApproval(input: ApprovalSettlement): Promise<void>;
  /**
   * Makes the run follow a PRD that was edited: its stories, texts and gates, and `prd-reloaded`, in one transaction. Twice: the
   * second finds it done.
   */
  reloadPrd(input: ReloadPrdInput): Promise<ReloadResult>;
  /** Marks stories that can never start as blocked, writes `run-ended` and the run's final state. */
  finishRun(input: FinishRunInput): Promise<void>;
}
