import { z } from 'zod';
import { runOutcomes } from './status.ts';

/**
 * The event log of a run: the one source for the board, plain lines, NDJSON and SSE.
 * Kinds are wire format: adding is free, renaming needs a decision record.
 */

export { isActive, runStatuses } from './status.ts';
export type { RunOutcome, RunStatus } from './status.ts';

/** Why an attempt did not pass. */
export const attemptFailures = [
  'gate-failed',
  'verification-failed',
  'nothing-changed',
  'max-steps',
  'conflict',
  'merged-gate-failed',
  'model-failed',
  'tool-failed',
] as const;
export type AttemptFailure = (typeof attemptFailures)[number];

const count = z.number().int().nonnegative();

/** Body by kind. `storyId` and `attempt` stand beside the body, not in it. */
export const runEventBodies = {
  'run-started': z.object({
    execution: count,
    project: z.string(),
    feature: z.string(),
    branch: z.string(),
    base: z.string(),
    model: z.string(),
    gates: z.array(z.string()),
    total: count,
    passed: count,
    maxIterations: count,
    maxConcurrent: count,
    maxCostUsd: z.number().nullable(),
    maxTokens: z.number().nullable(),
    maxTimeMs: z.number().nullable(),
    uiUrl: z.string().nullable(),
  }),
  'baseline-gate-ended': z.object({
    gate: z.string(),
    ok: z.boolean(),
    exitCode: z.number().nullable(),
    durationMs: count,
    summary: z.string(),
  }),
  'story-started': z.object({ title: z.string() }),
  /** A model call or a tool call begins; `label` is what a person would say: `thinking…`, `bash npm test`. */
  'step-started': z.object({ step: count, label: z.string() }),
  /** The newest line of output of the step that is under way; may be dropped, never counted on. */
  'step-output': z.object({ step: count, line: z.string() }),
  'model-answered': z.object({
    step: count,
    inputTokens: count,
    outputTokens: count,
    costUsd: z.number(),
    durationMs: count,
    text: z.string(),
    toolCalls: z.array(z.string()),
  }),
  'tool-ended': z.object({ step: count, tool: z.string(), label: z.string(), ok: z.boolean(), durationMs: count }),
  'tool-interrupted': z.object({ step: count, tool: z.string(), rerun: z.boolean() }),
  'gate-ended': z.object({
    gate: z.string(),
    where: z.enum(['workspace', 'merged']),
    ok: z.boolean(),
    exitCode: z.number().nullable(),
    durationMs: count,
    summary: z.string(),
  }),
  'attempt-failed': z.object({
    reason: z.enum(attemptFailures),
    message: z.string(),
    triesLeft: count,
    durationMs: count,
  }),
  'story-passed': z.object({
    commit: z.string(),
    attempts: count,
    durationMs: count,
    tokens: count,
    costUsd: z.number(),
    filesChanged: count,
  }),
  'story-failed': z.object({ message: z.string(), attempts: count, workspace: z.string().nullable() }),
  'story-blocked': z.object({ by: z.array(z.string()) }),
  'merge-waiting': z.object({ message: z.string() }),
  'run-paused': z.object({}),
  'run-resumed': z.object({}),
  'run-stopping': z.object({ mode: z.enum(['stop', 'cancel']) }),
  'worker-recovered': z.object({ interrupted: count }),
  warning: z.object({ message: z.string() }),
  'run-ended': z.object({
    outcome: z.enum(runOutcomes),
    message: z.string(),
    passed: count,
    total: count,
    branch: z.string(),
    tip: z.string().nullable(),
    commits: count,
    tokens: count,
    costUsd: z.number(),
    durationMs: count,
  }),
} as const;

export type RunEventKind = keyof typeof runEventBodies;
export type RunEventBody<K extends RunEventKind = RunEventKind> = z.infer<(typeof runEventBodies)[K]>;

interface EventFrame {
  /** From 1, without gaps, per run: a reader that saw `seq` has seen all before it. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly storyId: string | null;
  readonly attempt: number | null;
}

export type RunEvent = {
  [K in RunEventKind]: EventFrame & { readonly kind: K; readonly body: RunEventBody<K> };
}[RunEventKind];

/** An event before it has its place in the log. A second append with the same key changes nothing. */
export type NewRunEvent = {
  [K in RunEventKind]: {
    readonly key: string;
    readonly kind: K;
    readonly body: RunEventBody<K>;
    readonly storyId?: string;
    readonly attempt?: number;
  };
}[RunEventKind];
