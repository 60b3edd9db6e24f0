/**
 * HTTP shapes of `/v1` as server and client agree on them. JSON, camelCase, times RFC 3339 UTC.
 * Errors are RFC 9457 problems (`application/problem+json`) with the catalogue's `code`.
 */
import { z } from 'zod';
import { approvalKinds, approvalStates, longestAnswer, onAskPolicies } from '../run/approval.ts';
import { Prd } from '../ralph/prd.ts';
import { AgentName } from '../session/agents.ts';
import { longestMessage } from '../session/limits.ts';
import { attemptFailures, checkVerdicts, runEventBodies, runStatuses } from '../run/events.ts';

export const apiVersion = 1;

/** Give it as `cursor` to read on; null at the end. */
const nextCursor = z.string().nullable();

const positive = z.number().int().positive();

/** POST /v1/runs */
export const StartRunRequest = z.strictObject({
  kind: z.literal('ralph'),
  /** Absolute path of the PRD file, on the API's host. */
  prdPath: z.string().min(1),
  /** Absolute path of any folder in the repository; default: the PRD's folder. */
  repoPath: z.string().min(1).optional(),
  model: z.string().min(1),
  /** Answers a step whose model was refused three times. */
  fallbackModel: z.string().min(1).optional(),
  /** Run branch instead of the PRD's. */
  branch: z.string().min(1).optional(),
  maxIterations: positive.optional(),
  maxAttempts: positive.optional(),
  maxSteps: positive.optional(),
  maxConcurrent: positive.max(64).optional(),
  maxCostUsd: z.number().positive().optional(),
  maxTokens: positive.optional(),
  /** Model calls of all stories together. */
  maxTotalSteps: positive.optional(),
  maxTimeMs: positive.optional(),
  /** Of all worktrees of the run; default: the setting `maxDisk`. */
  maxDiskBytes: positive.optional(),
  /** When something has to be asked; default `deny`: nobody may be there. */
  onAsk: z.enum(onAskPolicies).optional(),
  /** Percent of `maxCostUsd` at which a person is asked whether the run is to go on. */
  askAtPercent: z.number().min(1).max(99).optional(),
  /** Ask a person before the first story is worked on. */
  askPlan: z.boolean().optional(),
  /** Ask a person before a story is merged. */
  askMerge: z.boolean().optional(),
  askTimeoutMs: positive.optional(),
  /** Absolute path or URL of the bare repository through which hosts share the run; default: it stays on one host. */
  remote: z.string().min(1).max(1_000).optional(),
  allowUnchecked: z.boolean().default(false),
  allowDirty: z.boolean().default(false),
  /** Check everything and say what would be done; start nothing. */
  dryRun: z.boolean().default(false),
});
export type StartRunRequest = z.input<typeof StartRunRequest>;

export const UsageView = z.object({
  inputTokens: z.number(),
  outputTokens: z.number(),
  cachedInputTokens: z.number(),
  costUsd: z.number(),
});

export const StoryView = z.object({
  storyId: z.string(),
  title: z.string(),
  status: z.enum(['open', 'running', 'passed', 'failed', 'blocked']),
  priority: z.number(),
  dependsOn: z.array(z.string()),
  attempts: z.number(),
  commit: z.string().nullable(),
  /** Why the newest attempt did not pass, for people. */
  problem: z.string().nullable(),
  usage: UsageView,
  durationMs: z.number(),
});
export type StoryView = z.infer<typeof StoryView>;

export const RunView = z.object({
  runId: z.string(),
  kind: z.literal('ralph'),
  status: z.enum(runStatuses),
  project: z.string(),
  feature: z.string(),
  repoPath: z.string(),
  prdPath: z.string(),
  branch: z.string(),
  base: z.string().nullable(),
  tip: z.string().nullable(),
  hostId: z.string(),
  /** The shared remote; null when the run stays on its host. */
  remote: z.string().nullable(),
  model: z.string(),
  execution: z.number(),
  passed: z.number(),
  total: z.number(),
  maxCostUsd: z.number().nullable(),
  maxTokens: z.number().nullable(),
  maxTotalSteps: z.number().nullable(),
  maxTimeMs: z.number().nullable(),
  spentUsd: z.number(),
  spentTokens: z.number(),
  reservedUsd: z.number(),
  reservedTokens: z.number(),
  /** Model calls that were answered or are under way, over all executions. */
  steps: z.number(),
  /** What the caps leave; null where there is none. */
  leftUsd: z.number().nullable(),
  leftTokens: z.number().nullable(),
  leftSteps: z.number().nullable(),
  message: z.string(),
  createdAt: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  headSeq: z.number(),
  uiUrl: z.string().nullable(),
  /** Gates that were red and then green on the same files. */
  flakyGates: z.array(z.string()),
  /** Gates that were red before the run and no worse with a story's change. */
  redGates: z.array(z.string()),
});
export type RunView = z.infer<typeof RunView>;

export const ApprovalView = z.object({
  id: z.string(),
  runId: z.string(),
  storyId: z.string(),
  kind: z.enum(approvalKinds),
  question: z.string(),
  /** Empty for a question that any text answers. */
  choices: z.array(z.string()),
  /** Counts when nobody answers until `expiresAt`; empty: the agent that asks decides itself. */
  defaultChoice: z.string(),
  expiresAt: z.string(),
  state: z.enum(approvalStates),
  answer: z.string().nullable(),
  answeredBy: z.string().nullable(),
  note: z.string(),
  createdAt: z.string(),
});
export type ApprovalView = z.infer<typeof ApprovalView>;

/** GET /v1/approvals: what people are asked now, oldest first. */
export const ApprovalListView = z.object({ approvals: z.array(ApprovalView), nextCursor });
export type ApprovalListView = z.infer<typeof ApprovalListView>;

/** POST /v1/approvals/:id. One answer about a used-up account answers all of the run's. */
export const AnswerApprovalRequest = z.strictObject({
  /** One of the choices; where there are none, the answer in the person's own words. */
  choice: z.string().min(1).max(longestAnswer),
  note: z.string().max(longestAnswer).default(''),
});
export type AnswerApprovalRequest = z.input<typeof AnswerApprovalRequest>;

const ratesView = {
  inputUsd: z.number(),
  cachedInputUsd: z.number(),
  cacheWriteUsd: z.number(),
  outputUsd: z.number(),
};

/** What one story has used one model for. */
export const SpendingView = UsageView.extend({
  storyId: z.string(),
  model: z.string(),
  /** Answered or under way. */
  calls: z.number(),
  reservedUsd: z.number(),
  reservedTokens: z.number(),
  /** US dollars per million tokens that the newest call was counted at; `default`: the price is not known. */
  price: z
    .object({
      ...ratesView,
      source: z.enum(['table', 'file', 'default', 'script']),
      /** Rates of a call whose input is longer than that. */
      longInput: z.object({ ...ratesView, aboveTokens: z.number() }).exactOptional(),
    })
    .nullable(),
});
export type SpendingView = z.infer<typeof SpendingView>;

/** GET /v1/runs/:runId. `:runId` may be any unique prefix of an id or of its last part. */
export const RunDetailView = RunView.extend({
  stories: z.array(StoryView),
  /** What people are asked now, oldest first. */
  approvals: z.array(ApprovalView),
  /** Stories whose model's provider is waited for. */
  waits: z.array(runEventBodies['model-waiting'].extend({ storyId: z.string() })),
  /** What the run's worktrees take, as it was last measured; null before that. */
  disk: runEventBodies['disk-measured'].nullable(),
  /** By story and model. */
  spending: z.array(SpendingView),
});
export type RunDetailView = z.infer<typeof RunDetailView>;

/** GET /v1/runs?limit=&cursor= */
export const RunListView = z.object({ runs: z.array(RunView), nextCursor });
export type RunListView = z.infer<typeof RunListView>;

/** GET /v1/runs/:runId/prd: the PRD as the run follows it now; what has passed is told by the run's stories. */
export const RunPrdView = z.object({ runId: z.string(), prd: Prd });
export type RunPrdView = z.infer<typeof RunPrdView>;

/** Answer of POST /v1/runs: 201 `started`, 200 `attached` and `planned` (dry run). */
export const StartRunResponse = z.object({
  kind: z.enum(['started', 'attached', 'planned']),
  run: RunView,
  /** Read events after this to see this execution from its start. */
  afterSeq: z.number(),
  warnings: z.array(z.string()),
  /** Dry run: what would start, in order. */
  plan: z.array(z.object({ storyId: z.string(), title: z.string(), stage: z.number() })),
});
export type StartRunResponse = z.infer<typeof StartRunResponse>;

/** POST /v1/runs/:runId/{pause,stop,cancel}: the run as it is then. `resume` has a body and an answer of its own. */
export const SteerResponse = z.object({ run: RunView });
export type SteerResponse = z.infer<typeof SteerResponse>;

/** Body of POST /v1/runs/:runId/resume; all optional, and so is the body. */
export const ResumeRequest = z.strictObject({
  maxCostUsd: z.number().positive().optional(),
  maxTokens: positive.optional(),
  maxTotalSteps: positive.optional(),
  maxTimeMs: positive.optional(),
});
export type ResumeRequest = z.infer<typeof ResumeRequest>;

/** Answer of POST /v1/runs/:runId/resume. `started`: the run had ended, and goes on as a further execution. */
export const ResumeResponse = SteerResponse.extend({ started: z.boolean(), warnings: z.array(z.string()) });
export type ResumeResponse = z.infer<typeof ResumeResponse>;

/** Body of POST /v1/runs/:runId/story/:storyId/rollback. */
export const RollbackStoryRequest = z.strictObject({
  /** With the stories that have passed and depend on it; without it, such stories are an error. */
  cascade: z.boolean().default(false),
});
export type RollbackStoryRequest = z.input<typeof RollbackStoryRequest>;

/** The rollback is under way; it ends with `story-rolled-back` for each story, or `rollback-failed`, after `afterSeq`. */
export const RollbackResponse = SteerResponse.extend({ storyIds: z.array(z.string()), afterSeq: z.number() });
export type RollbackResponse = z.infer<typeof RollbackResponse>;

/** Body of POST /v1/runs/:runId/reload; all optional. */
export const ReloadRunRequest = z.strictObject({
  /** Say what would change; change nothing. */
  dryRun: z.boolean().default(false),
  /** Accept new stories that nothing checks. */
  allowUnchecked: z.boolean().default(false),
});
export type ReloadRunRequest = z.input<typeof ReloadRunRequest>;

/** What the edited PRD changes, or has changed when `applied`; `stopped` are the stories whose agents stop for it. */
export const ReloadResponse = SteerResponse.extend({
  applied: z.boolean(),
  changes: runEventBodies['prd-reloaded'],
  warnings: z.array(z.string()),
});
export type ReloadResponse = z.infer<typeof ReloadResponse>;

/**
 * POST /v1/runs/:runId/story/:storyId/{nudge,retry}: a message to the story's agent; a failed story opened again, with a hint.
 * Answered by {@link ResumeResponse}: a retry starts a run that has ended again.
 */
export const storyVerbs = ['nudge', 'retry'] as const;
export type StoryVerb = (typeof storyVerbs)[number];
export const TellStoryRequest = z.strictObject({ text: z.string().max(4_000) });
export type TellStoryRequest = z.infer<typeof TellStoryRequest>;

export const steerVerbs = ['pause', 'resume', 'stop', 'cancel'] as const;
export type SteerVerb = (typeof steerVerbs)[number];

/**
 * GET /v1/runs/:runId/events: `text/event-stream`; `id:` is the seq, `event:` the kind, `data:` one RunEventView. Starts after
 * `Last-Event-ID` (or `?since-seq=`), ends after `run-ended` of the newest execution. A reader that has seen that (a run that is over, nothing after
 * `Last-Event-ID`) gets 204, which tells it not to ask again. `Accept: application/x-ndjson` gives the same as lines.
 */
export const RunEventView = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  seq: z.number(),
  at: z.string(),
  kind: z.enum(Object.keys(runEventBodies) as [keyof typeof runEventBodies]),
  storyId: z.string().nullable(),
  attempt: z.number().nullable(),
  body: z.record(z.string(), z.unknown()),
});
export type RunEventView = z.infer<typeof RunEventView>;

/** One gate, verification or inspection (`change`) of a story, newest last. */
export const CheckView = z.object({
  attempt: z.number().nullable(),
  where: z.enum(['baseline', 'workspace', 'merged']),
  name: z.string(),
  command: z.string(),
  tree: z.string(),
  /** Null for files that were in no commit yet. */
  commit: z.string().nullable(),
  /** It was green. */
  ok: z.boolean(),
  verdict: z.enum(checkVerdicts),
  exitCode: z.number().nullable(),
  durationMs: z.number(),
  summary: z.string(),
  /** The last 16 KB of what a red check of the newest attempt wrote; null for all others. */
  output: z.string().nullable(),
  /** SHA-256 of the whole output, which {@link CheckLogView} gives. */
  log: z.string(),
  at: z.string(),
});
export type CheckView = z.infer<typeof CheckView>;

export const AttemptView = z.object({
  attempt: z.number(),
  /** `unfinished`: it goes on, or was ended with the run. */
  outcome: z.enum(['passed', 'failed', 'unfinished']),
  reason: z.enum(attemptFailures).nullable(),
  message: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  durationMs: z.number().nullable(),
  /** Of the commit, when it passed. */
  filesChanged: z.number().nullable(),
});
export type AttemptView = z.infer<typeof AttemptView>;

/** GET /v1/runs/:runId/story/:storyId */
export const StoryDetailView = StoryView.extend({
  runId: z.string(),
  /** Oldest first. */
  attempted: z.array(AttemptView),
  checks: z.array(CheckView),
});
export type StoryDetailView = z.infer<typeof StoryDetailView>;

/** GET /v1/runs/:runId/story/:storyId/logs/:hash: all that one of the story's checks wrote. */
export const CheckLogView = z.object({ log: z.string() });
export type CheckLogView = z.infer<typeof CheckLogView>;

/** GET /v1/cleanup: what runs that are over have left behind. POST /v1/cleanup: the same, removed. */
export const CleanupQuery = z.strictObject({
  /** Only worktrees, with their branches kept; or only build folders in worktrees of runs that are over. */
  what: z.enum(['worktrees', 'artifacts']).exactOptional(),
});
export type CleanupQuery = z.infer<typeof CleanupQuery>;

export const CleanupView = z.object({
  entries: z.array(
    z.object({
      hostId: z.string(),
      runId: z.string().nullable(),
      path: z.string().nullable(),
      branch: z.string().nullable(),
      state: z.enum(['left-over', 'removed', 'failed', 'kept', 'unknown']),
      error: z.string().exactOptional(),
    }),
  ),
  /** How many more there are. */
  more: z.number(),
});
export type CleanupView = z.infer<typeof CleanupView>;

export const HostView = z.object({
  hostId: z.string(),
  name: z.string(),
  pid: z.number(),
  version: z.string(),
  slots: z.number(),
  slotsUsed: z.number(),
  /** Stories of active runs that it holds a lease on. */
  leases: z.number(),
  seenAt: z.string(),
  alive: z.boolean(),
});
export const HostListView = z.object({ hosts: z.array(HostView), nextCursor });
export type HostListView = z.infer<typeof HostListView>;

/** GET /health, without a credential: 200 as soon as the process serves. */
export const HealthView = z.object({
  status: z.literal('ok'),
  version: z.string(),
  apiVersion: z.literal(apiVersion),
  pid: z.number(),
});
export type HealthView = z.infer<typeof HealthView>;

/** GET /ready: 200 when database, engine and a worker answer, else 503 with the same body; 503 also of a process that is about to end. */
export const ReadyView = z.object({
  ready: z.boolean(),
  database: z.boolean(),
  engine: z.boolean(),
  worker: z.boolean(),
});
export type ReadyView = z.infer<typeof ReadyView>;

/** POST /v1/sessions/:sessionId/messages */
export const MessageRequest = z.strictObject({
  /** `/name words` is the text of a command. */
  text: z.string().min(1).max(longestMessage),
  /** The sender's own: a message that comes twice is one. Default: a new one. */
  messageId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/)
    .optional(),
  /** Built in (`build`, `plan`, `explore`) or in a file of the user's or the project's. Default: the session's last one. */
  agent: AgentName.optional(),
  /** Default: the session's last one. */
  model: z.string().min(1).optional(),
  fallbackModel: z.string().min(1).optional(),
  /** Model calls of this turn. */
  maxSteps: positive.optional(),
  maxTimeMs: positive.optional(),
  /** Caps of the whole session, over all its turns. */
  maxCostUsd: z.number().positive().optional(),
  maxTokens: positive.optional(),
  maxTotalSteps: positive.optional(),
  onAsk: z.enum(onAskPolicies).optional(),
  askTimeoutMs: positive.optional(),
  /** JSON schema that the answer has to follow. */
  outputSchema: z.record(z.string(), z.unknown()).optional(),
});
export type MessageRequest = z.input<typeof MessageRequest>;

/** POST /v1/sessions */
export const StartSessionRequest = MessageRequest.extend({
  /** Absolute, on the API's host: where the agent works, in place. */
  folder: z.string().min(1),
  /** Where neither the message, nor its command, nor its agent names a model. */
  defaultModel: z.string().min(1).optional(),
});
export type StartSessionRequest = z.input<typeof StartSessionRequest>;

export const SessionView = z.object({
  sessionId: z.string(),
  status: z.enum(runStatuses),
  folder: z.string(),
  hostId: z.string(),
  title: z.string(),
  model: z.string(),
  agent: z.string(),
  /** What it was forked from. */
  parent: z.object({ sessionId: z.string(), seq: z.number() }).nullable(),
  turns: z.number(),
  usage: UsageView,
  maxCostUsd: z.number().nullable(),
  maxTokens: z.number().nullable(),
  maxTotalSteps: z.number().nullable(),
  spentUsd: z.number(),
  spentTokens: z.number(),
  reservedUsd: z.number(),
  message: z.string(),
  createdAt: z.string(),
  usedAt: z.string(),
  headSeq: z.number(),
  uiUrl: z.string().nullable(),
});
export type SessionView = z.infer<typeof SessionView>;

/** Answer of both: the turn's events come after `afterSeq`, with the message's id. */
export const MessageResponse = z.object({
  session: SessionView,
  messageId: z.string(),
  afterSeq: z.number(),
  /** Messages that are worked on first. */
  ahead: z.number(),
  /** For people: files of agents, commands and skills that were left out, and why. */
  warnings: z.array(z.string()),
});
export type MessageResponse = z.infer<typeof MessageResponse>;

/** GET /v1/sessions?limit=&folder= : the one that was used last first. */
export const SessionListView = z.object({ sessions: z.array(SessionView), nextCursor });
export type SessionListView = z.infer<typeof SessionListView>;

/** GET /v1/sessions/:sessionId/transcript?agent= : all rows, in order; of the session, or of an agent that its own has started. */
export const TranscriptView = z.object({
  rows: z.array(z.object({ seq: z.number(), kind: z.string(), body: z.unknown() })),
});
export type TranscriptView = z.infer<typeof TranscriptView>;

/** POST /v1/sessions/:sessionId/steer: told to the agent at work before its next step. */
export const SteerSessionRequest = z.strictObject({ text: z.string().min(1).max(4_000) });
export type SteerSessionRequest = z.input<typeof SteerSessionRequest>;

/** POST /v1/sessions/:sessionId/undo: the last turns do not count any more; files stay as they are. */
export const UndoRequest = z.strictObject({ turns: positive.max(1_000).default(1) });
export type UndoRequest = z.input<typeof UndoRequest>;

/** POST /v1/sessions/:sessionId/fork: a new session that begins with what was said, without the last `dropTurns` turns. */
export const ForkRequest = z.strictObject({
  dropTurns: z.number().int().nonnegative().max(1_000).default(0),
  title: z.string().min(1).max(200).optional(),
});
export type ForkRequest = z.input<typeof ForkRequest>;

/** PATCH /v1/sessions/:sessionId */
export const RenameSessionRequest = z.strictObject({ title: z.string().min(1).max(200) });
export type RenameSessionRequest = z.input<typeof RenameSessionRequest>;
