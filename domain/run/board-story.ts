/** One story on the board of a run. */
import type { StoryView } from '../contracts/api.ts';
import { withoutAnswer } from './approval.ts';
import type { AttemptFailure, RunEvent, RunEventBody } from './events.ts';

/**
 * `open → running → checking → merging → passed`; a red attempt leads back to `open` while it has tries left, else to `failed`.
 * `checking` and `merging` are inferred: the log has an event for the end of a gate, none for its start.
 */
export type BoardStoryState = 'open' | 'running' | 'checking' | 'merging' | 'passed' | 'failed' | 'blocked';

export interface BoardFailure {
  readonly reason: AttemptFailure;
  /** The gate that was red, where it was one. */
  readonly gate: string | null;
}

export interface BoardStory {
  readonly storyId: string;
  readonly title: string;
  readonly dependsOn: readonly string[];
  readonly state: BoardStoryState;
  /** Number of the newest attempt, 0 before the first. */
  readonly attempts: number;
  /** Over all attempts. */
  readonly durationMs: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly commit: string | null;
  /** Why the newest attempt did not pass. */
  readonly problem: string | null;
  readonly blockedBy: readonly string[];
  /** Waits until another story is not worked on, since both are likely to change the same files. */
  readonly heldBy: { readonly storyId: string; readonly files: readonly string[] } | null;
  /** The worktree that a failed story left behind. */
  readonly workspace: string | null;
  /** What is done right now; null where the log does not say. */
  readonly step: number | null;
  readonly activity: string | null;
  readonly outputLine: string | null;
  /** The provider is waited for, or asked again after that. */
  readonly waiting: RunEventBody<'model-waiting'> | null;
  /** Red attempts of this execution, oldest first. */
  readonly failures: readonly BoardFailure[];
  readonly redGate: string | null;
}

/** @param ended the run is over: nobody works on anything */
export function storyOf(view: StoryView, ended: boolean): BoardStory {
  return {
    storyId: view.storyId,
    title: view.title,
    dependsOn: view.dependsOn,
    state: ended && view.status === 'running' ? 'open' : view.status,
    attempts: view.attempts,
    durationMs: view.durationMs,
    tokens: view.usage.inputTokens + view.usage.outputTokens,
    costUsd: view.usage.costUsd,
    commit: view.commit,
    problem: view.problem,
    blockedBy: [],
    heldBy: null,
    workspace: null,
    step: null,
    activity: null,
    outputLine: null,
    waiting: null,
    failures: [],
    redGate: null,
  };
}

/** A story that has just come into the PRD. */
export function newStory(head: {
  readonly storyId: string;
  readonly title: string;
  readonly dependsOn: string[];
}): BoardStory {
  const usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 };
  const counts = { priority: 1, attempts: 0, durationMs: 0 };
  return storyOf({ ...head, ...counts, status: 'open', commit: null, problem: null, usage }, false);
}

/** What holds only while somebody works on the story. */
export const noLive = { step: null, activity: null, outputLine: null, waiting: null, redGate: null } as const;

/** @param run `isNew`: the event is not yet in the sums that the story began with */
export function reduceStory(
  story: BoardStory,
  event: RunEvent,
  run: { readonly gates: readonly string[] | null; readonly isNew: boolean },
): BoardStory {
  switch (event.kind) {
    case 'story-started':
      return {
        ...story,
        state: 'running',
        ...noLive,
        attempts: event.attempt ?? story.attempts,
        activity: 'preparing its workspace',
        blockedBy: [],
        heldBy: null,
      };
    case 'step-started':
      return {
        ...story,
        state: 'running',
        step: event.body.step,
        activity: byWhom(event.body, event.body.label),
        outputLine: null,
        waiting: null,
      };
    case 'step-output':
      return isOfNow(story, event.body.step) ? { ...story, outputLine: event.body.line, waiting: null } : story;
    case 'model-waiting':
      return { ...story, state: 'running', step: event.body.step, outputLine: null, waiting: event.body };
    case 'model-answered': {
      const counted = run.isNew
        ? {
            ...story,
            waiting: null,
            tokens: story.tokens + event.body.inputTokens + event.body.outputTokens,
            costUsd: story.costUsd + event.body.costUsd,
          }
        : { ...story, waiting: null };
      // An answer without tool calls asks for completion: the gates come next (or, after a cut answer, a further step).
      const isDone = event.body.toolCalls.length === 0 && event.body.agent === undefined;
      return isDone ? atGate(counted, 'workspace', run.gates, undefined) : counted;
    }
    case 'host-lost':
      return { ...story, activity: hostLostText(event.body), outputLine: null };
    case 'tool-interrupted':
      return {
        ...story,
        activity: byWhom(event.body, `${event.body.tool} was interrupted${event.body.rerun ? ', runs again' : ''}`),
        outputLine: null,
      };
    case 'gate-ended': {
      const { gate, where, verdict } = event.body;
      return verdict !== 'red'
        ? atGate(story, where, run.gates, gate)
        : {
            ...story,
            state: where === 'merged' ? 'merging' : 'checking',
            activity: gateName(gate),
            outputLine: null,
            redGate: gate,
          };
    }
    case 'merge-waiting':
      return { ...story, state: 'merging', activity: event.body.message, outputLine: null };
    case 'attempt-failed':
      return {
        ...story,
        state: 'open',
        ...noLive,
        attempts: event.attempt ?? story.attempts,
        problem: event.body.message,
        durationMs: story.durationMs + (run.isNew ? event.body.durationMs : 0),
        failures: [...story.failures, { reason: event.body.reason, gate: story.redGate }],
      };
    case 'story-passed':
      return {
        ...story,
        state: 'passed',
        ...noLive,
        attempts: event.body.attempts,
        commit: event.body.commit,
        problem: null,
        durationMs: story.durationMs + (run.isNew ? event.body.durationMs : 0),
      };
    case 'story-reopened':
      return { ...story, state: 'open', ...noLive, problem: event.body.hint === '' ? story.problem : event.body.hint };
    case 'story-failed':
      return {
        ...story,
        state: 'failed',
        ...noLive,
        attempts: event.body.attempts,
        problem: event.body.message,
        workspace: event.body.workspace,
      };
    case 'story-blocked':
      return { ...story, state: 'blocked', ...noLive, blockedBy: event.body.by };
    case 'story-rolled-back':
      return { ...story, state: 'open', ...noLive, commit: null };
    case 'story-held':
      return { ...story, heldBy: { storyId: event.body.by, files: event.body.files } };
    case 'approval-requested':
      return { ...story, activity: 'waits for an answer', outputLine: null };
    case 'approval-answered':
      return { ...story, activity: `${withoutAnswer({ defaultChoice: event.body.choice })}: goes on` };
    case 'run-started':
    case 'baseline-gate-ended':
    case 'tool-ended':
    case 'agent-nudged':
    case 'disk-measured':
    case 'budget-line-reached':
    case 'prd-reloaded':
    case 'run-paused':
    case 'caps-changed':
    case 'run-resumed':
    case 'run-stopping':
    case 'worker-recovered':
    case 'story-placed':
    case 'rollback-failed':
    case 'warning':
    case 'run-ended':
    case 'turn-started':
    case 'turn-ended':
    case 'agent-started':
    case 'agent-ended':
      return story;
  }
}

/** What an agent of the story's agent is at, with its name. */
function byWhom({ agent }: { readonly agent?: string }, what: string): string {
  return agent === undefined ? what : `${agent}: ${what}`;
}

/** One clause for `host-lost`; the same on the board and in plain lines. */
export function hostLostText({ hostId, nextHostId }: RunEventBody<'host-lost'>): string {
  return `host ${hostId} was lost; the work goes on at ${nextHostId}`;
}

/** Whether an output line belongs to what the story is at: a gate's lines carry step 0. */
function isOfNow(story: BoardStory, step: number): boolean {
  if (step === 0) return story.state === 'checking' || story.state === 'merging';
  return story.state === 'running' && story.step === step;
}

/** The story after `done` did not stop it (undefined: before the first gate). */
function atGate(
  story: BoardStory,
  where: 'workspace' | 'merged',
  gates: readonly string[] | null,
  done: string | undefined,
): BoardStory {
  const live = { ...story, step: null, outputLine: null };
  if (done === undefined && gates?.length !== 0)
    return { ...live, state: 'checking', activity: gateName(gates?.[0] ?? 'checks') };
  const index = gates?.indexOf(done ?? '') ?? -1;
  const next = index < 0 ? undefined : gates?.[index + 1];
  if (next === undefined) return { ...live, state: 'merging', activity: 'merging' };
  return where === 'merged'
    ? { ...live, state: 'merging', activity: `${gateName(next)} on the merged tree` }
    : { ...live, state: 'checking', activity: gateName(next) };
}

function gateName(gate: string): string {
  return gate === 'verification' || gate === 'checks' ? gate : `gate ${gate}`;
}

/** Somebody or something works on it now. */
export function isWorkedOn(story: BoardStory): boolean {
  return story.state === 'running' || story.state === 'checking' || story.state === 'merging';
}
