/** What models, tools and files came to over many runs and sessions: `GET /v1/stats` and the store behind it. */
import { z } from 'zod';
import { UsageView } from './api.ts';

// PostgreSQL's text knows no NUL.
const text = z
  .string()
  .min(1)
  .max(4_000)
  .refine((given) => !given.includes('\0'), 'must not hold NUL')
  .meta({ pattern: String.raw`^[^\u0000]*$` });

/** Query of GET /v1/stats; all optional. */
export const StatsQuery = z.strictObject({
  /** Absolute; only runs and sessions that work in it or below it. Given several times: in any of them. */
  folder: z.union([text.transform((folder) => [folder]), z.array(text).max(10)]).optional(),
  /** RFC 3339; only what happened since. */
  since: z.iso
    .datetime({ offset: true })
    // Nothing is older than that, and not every year and offset is one that PostgreSQL knows.
    .transform((since) => new Date(Math.max(0, Date.parse(since))).toISOString())
    .optional(),
  /** Only calls of this tool, and files that it changed. */
  tool: text.optional(),
  /** Only this file, or those below this folder: absolute, or the end of a path. */
  file: text.optional(),
  /** Of each list. */
  limit: z.coerce.number().int().positive().max(500).default(20),
});
export type StatsQuery = z.output<typeof StatsQuery>;
export type StatsRequest = Partial<StatsQuery>;

const count = z.number();

const Execution = z.object({
  runId: z.string(),
  seq: count,
  storyId: z.string().nullable(),
  tool: z.string(),
  label: z.string(),
  ok: z.boolean(),
  durationMs: count,
  /** That the tool says it has changed. */
  files: z.array(z.string()),
  at: z.string(),
});

/** Answer of GET /v1/stats. Lists are bounded by `limit`; counts are of all. */
export const StatsView = z.object({
  runs: count,
  sessions: count,
  /** Answered model calls, summaries among them. */
  requests: count,
  usage: UsageView,
  /** Most expensive first. */
  models: z.array(UsageView.extend({ model: z.string(), requests: count })),
  executions: count,
  failures: count,
  /** Most used first; durations are those of half and of 95 of 100 calls. */
  tools: z.array(
    z.object({
      tool: z.string(),
      executions: count,
      failures: count,
      p50Ms: count,
      p95Ms: count,
      totalMs: count,
      lastAt: z.string(),
    }),
  ),
  /** Newest first. */
  recentExecutions: z.array(Execution),
  /** The newest of those that changed files. */
  recentChanges: z.array(Execution),
  filesModified: count,
  /** Most often changed first. A path is relative to the folder. What a shell command has changed is not known. */
  files: z.array(
    z.object({
      folder: z.string(),
      path: z.string(),
      changes: count,
      tools: z.array(z.string()),
      lastAt: z.string(),
      lastTool: z.string(),
      lastRunId: z.string(),
    }),
  ),
});
export type StatsView = z.infer<typeof StatsView>;

/** Nothing is older. */
const day = z.iso.date().regex(/^(?:19[7-9]|[2-9]\d\d)/, 'expected a day since 1970');

/** Query of GET /v1/usage; both days count, in UTC. */
export const UsageQuery = z.strictObject({
  /** Default: 29 days before `until`. */
  since: day.optional(),
  /** Default: today. */
  until: day.optional(),
});

const Used = UsageView.extend({ requests: count });

/** Answer of GET /v1/usage: what the tenant's answered model calls have used and cost, to the nano-dollar. */
export const UsageReport = z.object({
  since: z.string(),
  until: z.string(),
  total: Used,
  /** Newest day first, then by cost; a day, model and kind without a call is not there. */
  days: z.array(
    Used.extend({
      /** `2026-11-21`. */
      day: z.string(),
      model: z.string(),
      /** Whether runs of PRDs, sessions or chats have asked. */
      kind: z.enum(['ralph', 'session', 'chat']),
    }),
  ),
});
export type UsageReport = z.infer<typeof UsageReport>;

export interface StatsStore {
  readStats(query: StatsQuery): Promise<StatsView>;
  /** Of both days and those between, in UTC, see {@link UsageReport}. */
  readUsage(of: { readonly since: string; readonly until: string }): Promise<UsageReport['days']>;
}
