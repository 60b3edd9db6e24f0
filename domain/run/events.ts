import { z } from 'zod';
import { approvalKinds } from './approval.ts';
import { runOutcomes } from './status.ts';
import { TurnFacts } from '../session/turn-facts.ts';

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
  'looping',
  'conflict',
  'conflict-markers',
  'merged-gate-failed',
  'model-failed',
  'tool-failed',
  'tampered',
  'merge-denied',
  'disk-quota',
] as const;
export type AttemptFailure = (typeof attemptFailures)[number];

/**
 * What came of a check: `flaky` was red and then green on the same files, `red-as-before` was red on the run's base already and
 * is no worse now. Neither of the two is green, and neither stops a story.
 */
export const checkVerdicts = ['ok', 'red', 'flaky', 'red-as-before'] as const;
export type CheckVerdict = (typeof checkVerdicts)[number];

const count = z.number().int().nonnegative();
/** Whose step it is, see `agentPath`; absent: that of the story's or session's own agent. */
const agent = z.string().exactOptional();
const storyHead = z.object({ storyId: z.string(), title: z.string(), dependsOn: z.array(z.string()) });

/** What came of the task of an agent that another one has started; only `finished` is an answer. */
export const agentEnds = [
  'finished',
  'max-steps',
  'looping',
  'budget-exceeded',
  'stopped',
  'failed',
  'interrupted',
] as const;
export type AgentEnd = (typeof agentEnds)[number];

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
    /** The one failed story that is tried again; absent: all of them are. */
    retry: z.string().optional(),
  }),
  'baseline-gate-ended': z.object({
    gate: z.string(),
    ok: z.boolean(),
    verdict: z.enum(checkVerdicts),
    exitCode: z.number().nullable(),
    durationMs: count,
    summary: z.string(),
  }),
  'story-started': z.object({ title: z.string() }),
  /** A model call or a tool call begins; `label` is what a person would say: `thinking…`, `bash npm test`. */
  'step-started': z.object({ agent, step: count, label: z.string() }),
  /** The newest line of output of the step that is under way; may be dropped, never counted on. */
  'step-output': z.object({ agent, step: count, line: z.string() }),
  'model-answered': z.object({
    agent,
    step: count,
    inputTokens: count,
    outputTokens: count,
    costUsd: z.number(),
    durationMs: count,
    text: z.string(),
    toolCalls: z.array(z.string()),
  }),
  /** The provider refused the call, cannot be reached, or its key is not there any more: it is asked again at `until`, or `nextModel` is asked in its place. */
  'model-waiting': z.object({
    agent,
    step: count,
    provider: z.string(),
    reason: z.enum(['rate-limit', 'overloaded', 'unreachable', 'silent', 'timeout', 'not-configured']),
    message: z.string(),
    /** RFC 3339. */
    until: z.string(),
    /** Refused tries of this step. */
    refusals: count,
    mayHaveCost: z.boolean(),
    nextModel: z.string().nullable(),
  }),
  'tool-ended': z.object({
    agent,
    step: count,
    tool: z.string(),
    label: z.string(),
    ok: z.boolean(),
    durationMs: count,
    /** Those that the tool says it has changed, 50 at most; what a command has changed is not known. */
    files: z.array(z.string()).exactOptional(),
  }),
  'tool-interrupted': z.object({ agent, step: count, tool: z.string(), rerun: z.boolean() }),
  /** An agent begins to work beside the one that has started it; `task` is the beginning of what it is to do. */
  'agent-started': z.object({ agent: z.string(), readsOnly: z.boolean(), task: z.string() }),
  'agent-ended': z.object({
    agent: z.string(),
    end: z.enum(agentEnds),
    /** Why it has no answer, for people. */
    message: z.string(),
    durationMs: count,
  }),
  'gate-ended': z.object({
    gate: z.string(),
    where: z.enum(['workspace', 'merged']),
    ok: z.boolean(),
    verdict: z.enum(checkVerdicts),
    exitCode: z.number().nullable(),
    durationMs: count,
    summary: z.string(),
  }),
  'attempt-failed': z.object({
    reason: z.enum(attemptFailures),
    message: z.string(),
    triesLeft: count,
    durationMs: count,
    /** Set when the story goes round in circles: what the next attempt is told. */
    diagnosis: z.string().optional(),
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
  /** Its commit was taken off the run branch by a further one; the story is open again. */
  'story-rolled-back': z.object({ commit: z.string(), reverted: z.string() }),
  /** Nothing was taken off the run branch. */
  'rollback-failed': z.object({ storyIds: z.array(z.string()), message: z.string() }),
  /** Could start, but waits until `by` is not worked on: both are likely to change these files. */
  'story-held': z.object({ by: z.string(), files: z.array(z.string()) }),
  'merge-waiting': z.object({ message: z.string() }),
  /** A person is asked: the story waits until `expiresAt`, then `defaultChoice` counts, or where it is empty the agent decides. */
  'approval-requested': z.object({
    id: z.string(),
    kind: z.enum(approvalKinds),
    question: z.string(),
    choices: z.array(z.string()),
    defaultChoice: z.string(),
    /** RFC 3339. */
    expiresAt: z.string(),
  }),
  /** What the run's worktrees take, when that has changed. */
  'disk-measured': z.object({ bytes: count, maxBytes: count }),
  /** Such a share of the money cap is spent; a person is asked whether the run is to go on. */
  'budget-line-reached': z.object({ percent: z.number(), spentUsd: z.number(), maxCostUsd: z.number() }),
  'approval-answered': z.object({
    id: z.string(),
    state: z.enum(['answered', 'expired']),
    choice: z.string(),
    by: z.string(),
    note: z.string(),
  }),
  /** A person has told the agent something. */
  'agent-nudged': z.object({ text: z.string() }),
  /** A person has opened a failed story again. */
  'story-reopened': z.object({ hint: z.string() }),
  'run-paused': z.object({}),
  /** All caps as they are from now on. */
  'caps-changed': z.object({
    maxCostUsd: z.number().nullable(),
    maxTokens: z.number().nullable(),
    maxTotalSteps: z.number().nullable(),
    maxTimeMs: z.number().nullable(),
  }),
  'run-resumed': z.object({}),
  /** The run follows the PRD file as it was edited; see `domain/ralph/reload.ts`. */
  'prd-reloaded': z.object({
    added: z.array(storyHead),
    changed: z.array(storyHead),
    removed: z.array(z.string()),
    passed: z.array(z.string()),
    reopened: z.array(z.string()),
    changedGates: z.array(z.string()),
    removedGates: z.array(z.string()),
    texts: z.boolean(),
    /** All gates from now on. */
    gates: z.array(z.string()),
    /** Removed or passed while an agent worked on them: it stops after its step. */
    stopped: z.array(z.string()),
  }),
  'run-stopping': z.object({ mode: z.enum(['stop', 'cancel']) }),
  'worker-recovered': z.object({ interrupted: count }),
  /** A session begins to work on a message; `text` is its beginning. */
  'turn-started': z.object({
    turn: count,
    messageId: z.string(),
    agent: z.string(),
    model: z.string(),
    text: z.string(),
  }),
  /** `text` is the agent's answer, empty when there is none; it may be cut: the whole of it is in the transcript. */
  'turn-ended': z.object({
    turn: count,
    messageId: z.string(),
    outcome: z.enum(runOutcomes),
    /** Why it did not complete, for people. */
    message: z.string(),
    /** Of the catalogue, where it is an error. */
    code: z.string().nullable(),
    text: z.string(),
    steps: count,
    inputTokens: count,
    outputTokens: count,
    costUsd: z.number(),
    durationMs: count,
    ...TurnFacts.shape,
  }),
  /** A host has the story from now on; `lease` counts how often it was given to one. */
  'story-placed': z.object({ hostId: z.string(), lease: count }),
  /** A host was not seen any more: what it worked on (the story; without one, what is done for the run as a whole) goes on elsewhere. */
  'host-lost': z.object({
    hostId: z.string(),
    /** RFC 3339: the last sign of it. */
    seenAt: z.string(),
    nextHostId: z.string(),
  }),
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
