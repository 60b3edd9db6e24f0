/** `/v1/ralph` as clients of the codetether platform know it, over the same runs: snake_case, lists as bare arrays. */
import { z } from 'zod';

const PlatformStory = z.looseObject({
  id: z.string().min(1),
  title: z.string().min(1),
  description: z.string(),
  acceptanceCriteria: z.array(z.string()).optional(),
  priority: z.number().int().nonnegative().optional(),
});

/** Further fields of a PRD (`docs/prd-format.md`) count too, in either spelling. */
const PlatformPrd = z.looseObject({
  project: z.string().min(1),
  branchName: z.string().min(1),
  description: z.string(),
  userStories: z.array(PlatformStory).min(1),
});

/** POST /v1/ralph/runs */
export const CreateRalphRunRequest = z.object({
  prd: PlatformPrd,
  /** Name of a workspace of this host; may be left out where there is one only. */
  codebase_id: z.string().min(1).nullish(),
  /** Default: the default model. */
  model: z.string().min(1).nullish(),
  max_iterations: z.number().int().min(1).max(50).default(10),
  run_mode: z.enum(['sequential', 'parallel']).default('sequential'),
  /** Stories at a time, where `run_mode` is parallel. */
  max_parallel: z.number().int().min(1).max(10).default(3),
  /** Not of the platform: accept stories that nothing checks, where the repository shows no checks either. */
  allow_unchecked: z.boolean().default(false),
});
export type CreateRalphRunRequest = z.output<typeof CreateRalphRunRequest>;

export const ralphRunStatuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
export type RalphRunStatus = (typeof ralphRunStatuses)[number];
export const ralphStoryStatuses = ['pending', 'running', 'passed', 'failed', 'skipped'] as const;

export const RalphLogView = z.object({
  /** Seq of the event that it tells of. */
  id: z.number(),
  timestamp: z.string(),
  type: z.enum(['info', 'story_start', 'story_pass', 'story_fail', 'error', 'complete']),
  message: z.string(),
  story_id: z.string().nullable(),
});
export type RalphLogView = z.infer<typeof RalphLogView>;

export const RalphRunView = z.object({
  id: z.string(),
  prd: z.object({
    project: z.string(),
    branchName: z.string(),
    description: z.string(),
    userStories: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        description: z.string(),
        acceptanceCriteria: z.array(z.string()),
        priority: z.number(),
      }),
    ),
  }),
  /** Null where its folder has no name (any more). */
  codebase_id: z.string().nullable(),
  model: z.string(),
  status: z.enum(ralphRunStatuses),
  max_iterations: z.number(),
  current_iteration: z.number(),
  run_mode: z.enum(['sequential', 'parallel']),
  max_parallel: z.number(),
  /** Of stories that were begun. */
  story_results: z.array(
    z.object({
      story_id: z.string(),
      status: z.enum(ralphStoryStatuses),
      task_id: z.null(),
      iteration: z.number(),
      /** The commit. */
      result: z.string().nullable(),
      error: z.string().nullable(),
      started_at: z.string().nullable(),
      completed_at: z.string().nullable(),
    }),
  ),
  /** The newest hundred, of one run; in a list there are none. */
  logs: z.array(RalphLogView),
  created_at: z.string(),
  started_at: z.string(),
  completed_at: z.string().nullable(),
  error: z.string().nullable(),
});
export type RalphRunView = z.infer<typeof RalphRunView>;

/** POST /v1/ralph/runs/:runId/{cancel,recover}, DELETE /v1/ralph/runs/:runId */
export const RalphRunAnswer = z.object({
  status: z.enum(['cancelled', 'running', 'deleted']),
  run_id: z.string(),
});
