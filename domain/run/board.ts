/**
 * What a person sees of a run, folded from its event log. Pure and immutable: terminal board, status table and
 * final summary are drawn from this one value.
 */
import type { RunDetailView } from '../contracts/api.ts';
import { hostLostText, isWorkedOn, newStory, noLive, reduceStory, storyOf } from './board-story.ts';
import type { BoardStory } from './board-story.ts';
import type { Approval } from './approval.ts';
import { isActive } from './status.ts';
import type { RunEvent, RunEventBody, RunStatus } from './events.ts';
export interface BoardNotice {
  readonly at: string;
  readonly text: string;
  /** Over by itself: worth a line only for a while. */
  readonly isPast: boolean;
  /** The story that it is about; it ends with the story's attempt. */
  readonly storyId: string | null;
}

export interface BoardApproval extends Pick<Approval, 'storyId' | 'kind' | 'question' | 'choices' | 'defaultChoice'> {
  readonly id: string;
  /** RFC 3339. */
  readonly since: string;
  readonly until: string;
}

export interface Board {
  readonly runId: string;
  readonly project: string;
  readonly feature: string;
  /** Absolute. */
  readonly prdPath: string;
  readonly branch: string;
  readonly base: string | null;
  readonly tip: string | null;
  readonly model: string;
  readonly status: RunStatus;
  readonly execution: number;
  /** RFC 3339; start of the execution. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Null until the log has named them. */
  readonly gates: readonly string[] | null;
  readonly maxCostUsd: number | null;
  readonly maxTokens: number | null;
  readonly maxTimeMs: number | null;
  /** Over all executions. */
  readonly spentUsd: number;
  readonly spentTokens: number;
  readonly uiUrl: string | null;
  /** Gates that were red and then green on the same files. */
  readonly flakyGates: readonly string[];
  /** Gates that were red before the run and no worse with a story's change. */
  readonly redGates: readonly string[];
  readonly message: string;
  /** What people are asked now, oldest first. */
  readonly approvals: readonly BoardApproval[];
  /** In PRD order. */
  readonly stories: readonly BoardStory[];
  /** Newest thing that is worth a line of its own. */
  readonly notice: BoardNotice | null;
  readonly ended: RunEventBody<'run-ended'> | null;
  /** The snapshot holds the sums of all events up to here. */
  readonly snapshotSeq: number;
  /** Newest event that was applied. */
  readonly seq: number;
}

/** The board as a snapshot tells it; go on with {@link reduceBoard}, or first with {@link catchUp}. */
export function emptyBoard(run: RunDetailView): Board {
  return {
    runId: run.runId,
    project: run.project,
    feature: run.feature,
    prdPath: run.prdPath,
    branch: run.branch,
    base: run.base,
    tip: run.tip,
    model: run.model,
    status: run.status,
    execution: run.execution,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    gates: null,
    maxCostUsd: run.maxCostUsd,
    maxTokens: run.maxTokens,
    maxTimeMs: run.maxTimeMs,
    spentUsd: run.spentUsd,
    spentTokens: run.spentTokens,
    uiUrl: run.uiUrl,
    flakyGates: run.flakyGates,
    redGates: run.redGates,
    message: run.message,
    approvals: run.approvals.map(({ id, storyId, kind, question, choices, defaultChoice, createdAt, expiresAt }) => ({
      id,
      storyId,
      kind,
      question,
      choices,
      defaultChoice,
      since: createdAt,
      until: expiresAt,
    })),
    stories: run.stories.map((story) => ({
      ...storyOf(story, run.endedAt !== null),
      waiting: run.waits.find(({ storyId }) => storyId === story.storyId) ?? null,
    })),
    notice: null,
    ended: null,
    snapshotSeq: run.headSeq,
    seq: 0,
  };
}

/**
 * Adds what a snapshot cannot tell (steps, gates, retry notes) from the newest events up to it. `events` are in
 * order and may begin anywhere; those of earlier executions are left out.
 */
export function catchUp(board: Board, events: readonly RunEvent[]): Board {
  const start = events.findLastIndex((event) => event.kind === 'run-started');
  const started = events[start];
  if (started?.kind === 'run-started' && started.body.execution < board.execution) return board;
  // The log may have lost sight of the start: all after an earlier execution's end belongs to the newest.
  const from =
    start >= 0 ? start : board.endedAt === null ? events.findLastIndex((event) => event.kind === 'run-ended') + 1 : 0;
  return events.slice(from).reduce(reduceBoard, board);
}

/**
 * Applies one event; an event that was applied before changes nothing, so overlapping reads are harmless. Sums
 * count only what is not in the snapshot; all else is overwritten, so that the newest event wins.
 */
export function reduceBoard(board: Board, event: RunEvent): Board {
  if (event.seq <= board.seq) return board;
  const next = { ...reduceRun(board, event), seq: event.seq };
  if (event.storyId === null) return next;
  const index = next.stories.findIndex((story) => story.storyId === event.storyId);
  const story = next.stories[index];
  if (story === undefined) return next;
  const changed = reduceStory(story, event, { gates: board.gates, isNew: event.seq > board.snapshotSeq });
  return changed === story ? next : { ...next, stories: next.stories.with(index, changed) };
}

function reduceRun(board: Board, event: RunEvent): Board {
  const notice = (text: string, isPast = false): Board => ({
    ...board,
    notice: { at: event.at, text, isPast, storyId: event.storyId },
  });
  const settled = board.notice !== null && board.notice.storyId === event.storyId ? { ...board, notice: null } : board;
  switch (event.kind) {
    case 'run-started': {
      const { body } = event;
      return {
        ...board,
        status: 'running',
        execution: body.execution,
        branch: body.branch,
        base: body.base,
        model: body.model,
        gates: body.gates,
        maxCostUsd: body.maxCostUsd,
        maxTokens: body.maxTokens,
        maxTimeMs: body.maxTimeMs,
        uiUrl: body.uiUrl ?? board.uiUrl,
        startedAt: event.at,
        endedAt: null,
        ended: null,
        notice: null,
        stories: board.stories.map((story) =>
          story.state === 'passed' || staysFailed(story, body.retry)
            ? story
            : { ...story, state: 'open', ...noLive, failures: [] },
        ),
      };
    }
    case 'baseline-gate-ended':
      if (event.body.verdict === 'flaky') return withVerdict(board, event.body);
      return event.body.ok
        ? board
        : notice(`gate ${event.body.gate} is red on the base commit, before any story: ${event.body.summary}`);
    case 'gate-ended':
      return withVerdict(board, event.body);
    case 'model-answered':
      if (event.seq <= board.snapshotSeq) return board;
      return {
        ...board,
        spentTokens: board.spentTokens + event.body.inputTokens + event.body.outputTokens,
        spentUsd: board.spentUsd + event.body.costUsd,
      };
    case 'story-passed':
      return event.body.filesChanged === 0 ? settled : { ...settled, tip: event.body.commit };
    case 'story-rolled-back':
      return { ...board, tip: event.body.commit };
    case 'rollback-failed':
      return notice(rollbackFailedText(event.body.storyIds, event.body.message));
    case 'disk-measured':
    case 'budget-line-reached':
      return board;
    case 'attempt-failed':
      return settled;
    case 'approval-requested': {
      // The snapshot knows better which of those before it are still open.
      if (event.seq <= board.snapshotSeq) return board;
      const { expiresAt: until, ...body } = event.body;
      const asked = { ...body, storyId: event.storyId ?? '', since: event.at, until };
      return { ...board, approvals: [...board.approvals, asked] };
    }
    case 'approval-answered':
      return { ...board, approvals: board.approvals.filter(({ id }) => id !== event.body.id) };
    case 'caps-changed': {
      const { maxCostUsd, maxTokens, maxTimeMs } = event.body;
      return { ...board, maxCostUsd, maxTokens, maxTimeMs };
    }
    case 'prd-reloaded':
      // The snapshot knows better which stories there are.
      return event.seq <= board.snapshotSeq
        ? { ...board, gates: event.body.gates }
        : { ...board, gates: event.body.gates, stories: reloadedStories(board.stories, event.body) };
    case 'run-paused':
      return { ...board, status: 'paused' };
    case 'run-resumed':
      return { ...board, status: 'running' };
    case 'run-stopping':
      return { ...board, status: 'stopping' };
    case 'worker-recovered':
      return notice(recoveredText(event.body.interrupted), true);
    case 'agent-nudged':
      return notice(`${event.storyId ?? 'the agent'} is told: ${event.body.text}`, true);
    case 'host-lost':
      return notice(hostLostText(event.body), true);
    case 'merge-waiting':
    case 'warning':
      return notice(event.body.message);
    case 'run-ended':
      return {
        ...board,
        status: event.body.outcome,
        message: event.body.message,
        tip: event.body.tip,
        endedAt: event.at,
        ended: event.body,
        notice: null,
        approvals: [],
        stories: board.stories.map((story) => (isWorkedOn(story) ? { ...story, state: 'open', ...noLive } : story)),
      };
    case 'story-started':
    case 'step-started':
    case 'step-output':
    case 'model-waiting':
    case 'story-reopened':
    case 'tool-ended':
    case 'tool-interrupted':
    case 'story-placed':
    case 'story-failed':
    case 'story-blocked':
    case 'story-held':
    case 'turn-started':
    case 'turn-ended':
    case 'agent-started':
    case 'agent-ended':
      return board;
  }
}

/** Only the story that a person wanted to be tried again is. */
function staysFailed(story: BoardStory, retry: string | undefined): boolean {
  return retry !== undefined && story.state === 'failed' && story.storyId !== retry;
}

function reloadedStories(stories: readonly BoardStory[], body: RunEventBody<'prd-reloaded'>): readonly BoardStory[] {
  const changed = new Map(body.changed.map(({ storyId, ...head }) => [storyId, head]));
  const known = new Set(stories.map((story) => story.storyId));
  return [
    ...stories
      .filter((story) => !body.removed.includes(story.storyId))
      .map((story): BoardStory => {
        const { storyId } = story;
        const head = changed.get(storyId);
        const isAnew = body.reopened.includes(storyId) || (head !== undefined && story.state === 'failed');
        return {
          ...story,
          ...head,
          ...(isAnew ? { state: 'open', ...noLive, commit: null } : {}),
          ...(body.passed.includes(storyId) ? { state: 'passed', ...noLive, problem: null } : {}),
        };
      }),
    ...body.added.filter(({ storyId }) => !known.has(storyId)).map(newStory),
  ];
}

function withVerdict(board: Board, { gate, verdict }: RunEventBody<'baseline-gate-ended'>): Board {
  const add = (gates: readonly string[]) => (gates.includes(gate) ? gates : [...gates, gate]);
  if (verdict === 'flaky') return { ...board, flakyGates: add(board.flakyGates) };
  return verdict === 'red-as-before' ? { ...board, redGates: add(board.redGates) } : board;
}

/** One sentence for `worker-recovered`; the same on the board and in plain lines. */
export function recoveredText(interrupted: number): string {
  if (interrupted === 0) return 'the worker was lost and is back';
  return `the worker was lost and is back; ${interrupted === 1 ? '1 step goes' : `${interrupted} steps go`} on`;
}

/** One clause for a story whose provider is waited for: `waits for openai (rate limit), 42 s left, nothing is spent`. */
export function waitingText(body: RunEventBody<'model-waiting'>, nowMs: number): string {
  if (body.nextModel !== null)
    return `asks ${body.nextModel} in place of ${body.provider} (${waitingReasons[body.reason]})`;
  const leftMs = Date.parse(body.until) - nowMs;
  if (leftMs <= 0) return `asks ${body.provider} again, try ${body.refusals + 1}`;
  const left = formatLeft(leftMs);
  const spent = body.mayHaveCost ? '' : ', nothing is spent';
  return `waits for ${body.provider} (${waitingReasons[body.reason]}), ${left} left${spent}`;
}

export const waitingReasons = {
  'rate-limit': 'rate limit',
  overloaded: 'overloaded',
  unreachable: 'unreachable',
  silent: 'silent for too long',
  timeout: 'too slow',
  'not-configured': 'no key or address',
} as const satisfies Record<RunEventBody<'model-waiting'>['reason'], string>;

function formatLeft(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1_000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** One sentence for `rollback-failed`; the same on the board and in plain lines. */
export function rollbackFailedText(storyIds: readonly string[], message: string): string {
  return `${storyIds.join(', ')} not rolled back: ${message}`;
}

/** A person is asked, and nothing else goes on: no story is worked on that does not wait for an answer itself. */
export function waitsForPerson(board: Board): boolean {
  const asked = new Set(board.approvals.map(({ storyId }) => storyId));
  if (asked.size === 0 || !isActive(board.status)) return false;
  return asked.has('') || board.stories.every((story) => asked.has(story.storyId) || !isWorkedOn(story));
}

/** Prerequisites of an open story that have not passed; empty when it may start. */
export function waitsFor(board: Board, story: BoardStory): readonly string[] {
  if (story.state !== 'open') return [];
  return story.dependsOn.filter((id) =>
    board.stories.some((other) => other.storyId === id && other.state !== 'passed'),
  );
}

/** The story that it is held back for, while that is worked on. */
export function heldBy(board: Board, story: BoardStory): BoardStory['heldBy'] {
  const other = board.stories.find(({ storyId }) => storyId === story.heldBy?.storyId);
  return story.state === 'open' && other !== undefined && isWorkedOn(other) ? story.heldBy : null;
}

export function passedCount(board: Board): number {
  return board.stories.filter((story) => story.state === 'passed').length;
}
