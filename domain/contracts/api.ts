/**
 * HTTP shapes of `/v1` as server and client agree on them. JSON, camelCase, times RFC 3339 UTC.
 * Errors are RFC 9457 problems (`application/problem+json`) with the catalogue's `code`.
 */
import { z } from 'zod';
import { runEventBodies, runStatuses } from '../run/events.ts';

export const apiVersion = 1;

const positive = z.number().int().positive();

/** POST /v1/runs */
export const StartRunRequest = z.strictObject({
  kind: z.literal('ralph'),
  /** Absolute path of the PRD file, on the API's host. */
  prdPath: z.string().min(1),
  /** Absolute path of any folder in the repository; default: the PRD's folder. */
  repoPath: z.string().min(1).optional(),
  model: z.string().min(1),
  /** Run branch instead of the PRD's. */
  branch: z.string().min(1).optional(),
  maxIterations: positive.optional(),
  maxAttempts: positive.optional(),
  maxSteps: positive.optional(),
  maxConcurrent: positive.max(64).optional(),
  maxCostUsd: z.number().positive().optional(),
  maxTokens: positive.optional(),
  maxTimeMs: positive.optional(),
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
  model: z.string(),
  execution: z.number(),
  passed: z.number(),
  total: z.number(),
  maxCostUsd: z.number().nullable(),
  maxTokens: z.number().nullable(),
  maxTimeMs: z.number().nullable(),
  spentUsd: z.number(),
  spentTokens: z.number(),
  reservedUsd: z.number(),
  reservedTokens: z.number(),
  message: z.string(),
  createdAt: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  headSeq: z.number(),
  uiUrl: z.string().nullable(),
});
export type RunView = z.infer<typeof RunView>;

/** GET /v1/runs/:runId. `:runId` may be any unique prefix of an id or of its last part. */
export const RunDetailView = RunView.extend({ stories: z.array(StoryView) });
export type RunDetailView = z.infer<typeof RunDetailView>;

/** GET /v1/runs?limit= */
export const RunListView = z.object({ runs: z.array(RunView) });
export type RunListView = z.infer<typeof RunListView>;

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

/** POST /v1/runs/:runId/{pause,resume,stop,cancel}: the run as it is then. */
export const SteerResponse = z.object({ run: RunView });
export type SteerResponse = z.infer<typeof SteerResponse>;

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

/** One gate or verification of a story, newest last. */
export const CheckView = z.object({
  attempt: z.number().nullable(),
  where: z.enum(['baseline', 'workspace', 'merged']),
  name: z.string(),
  command: z.string(),
  ok: z.boolean(),
  exitCode: z.number().nullable(),
  durationMs: z.number(),
  summary: z.string(),
  /** The last 16 KB of what a red check of the newest attempt wrote; null for all others. */
  output: z.string().nullable(),
  at: z.string(),
});
export type CheckView = z.infer<typeof CheckView>;

/** GET /v1/runs/:runId/story/:storyId */
export const StoryDetailView = StoryView.extend({ runId: z.string(), checks: z.array(CheckView) });
export type StoryDetailView = z.infer<typeof StoryDetailView>;

export const HostView = z.object({
  hostId: z.string(),
  name: z.string(),
  pid: z.number(),
  version: z.string(),
  slots: z.number(),
  seenAt: z.string(),
  alive: z.boolean(),
});
export const HostListView = z.object({ hosts: z.array(HostView) });
export type HostListView = z.infer<typeof HostListView>;

/** GET /health, without a credential: 200 as soon as the process serves. */
export const HealthView = z.object({
  status: z.literal('ok'),
  version: z.string(),
  apiVersion: z.literal(apiVersion),
  pid: z.number(),
});
export type HealthView = z.infer<typeof HealthView>;

/** GET /ready: 200 when database, engine and a worker answer, else 503 with the same body. */
export const ReadyView = z.object({
  ready: z.boolean(),
  database: z.boolean(),
  engine: z.boolean(),
  worker: z.boolean(),
});
export type ReadyView = z.infer<typeof ReadyView>;
