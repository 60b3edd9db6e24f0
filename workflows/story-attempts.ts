import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  condition,
  isCancellation,
  startChild,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import type { ReadyStory } from '../domain/contracts/activities.ts';
import { childSignals, workflowTaskTimeout } from '../domain/contracts/ralph.ts';
import type {
  Nudge,
  RalphRunInput,
  RalphStoryInput,
  RalphStoryResult,
  WorkspaceStart,
} from '../domain/contracts/ralph.ts';
import { defaultAskTimeoutMs } from '../domain/run/approval.ts';
import { noUsage } from '../domain/run/budget.ts';
import type { NewRunEvent, RunOutcome } from '../domain/run/events.ts';
import { attemptId } from '../domain/run/ids.ts';
import type { Approver } from './approval.ts';
import { nudgeSignal } from './control.ts';
import { activityError } from './failure.ts';
import type { GreenStory, MergeLane, MergeResult } from './merge-lane.ts';
import type { Host } from './policies.ts';
import { record, syncPrdFiles } from './projections.ts';
import type { ralphStory } from './ralph-story.ts';
import type { RunBoard } from './run-board.ts';
import { costAttribute, progressAttribute } from './search-attributes.ts';

/** Why nothing new starts any more. */
export interface Ending {
  readonly outcome: RunOutcome;
  readonly message: string;
}

/** What attempts need to know of their run. */
export interface RunNow {
  readonly input: RalphRunInput;
  readonly isPaused: boolean;
  readonly isEnding: boolean;
  readonly isCancelled: boolean;
  readonly baselineEnded: boolean;
  /** Which stories there are is being changed. */
  readonly isReloading: boolean;
}

export interface StoryAttemptsOptions {
  readonly run: () => RunNow;
  /** Nothing new starts. */
  readonly end: (ending: Ending) => Promise<void>;
  readonly host: Host;
  readonly lane: MergeLane;
  readonly board: RunBoard;
  readonly approver: Approver;
  readonly nextStarts: { readonly [storyId: string]: WorkspaceStart };
}

/** The attempts of a run that are under way, each from its start to the merge or the verdict on its failure. */
export class StoryAttempts {
  readonly #run: () => RunNow;
  readonly #end: (ending: Ending) => Promise<void>;
  readonly #host: Host;
  readonly #lane: MergeLane;
  readonly #board: RunBoard;
  readonly #approver: Approver;
  /** Stories being worked on; undefined until their child workflow has started. */
  readonly #inFlight = new Map<string, ChildWorkflowHandle<typeof ralphStory> | undefined>();
  readonly #merging = new Set<string>();
  /** Stories whose attempts are not wanted any more. */
  readonly #dropped = new Set<string>();
  readonly #nextStart: Map<string, WorkspaceStart>;
  #started = 0;

  constructor({ run, end, host, lane, board, approver, nextStarts }: StoryAttemptsOptions) {
    this.#run = run;
    this.#end = end;
    this.#host = host;
    this.#lane = lane;
    this.#board = board;
    this.#approver = approver;
    this.#nextStart = new Map(Object.entries(nextStarts));
  }

  /** Ids of the stories that are being worked on. */
  get inFlight(): readonly string[] {
    return [...this.#inFlight.keys()];
  }

  /** Those of them that are being merged. */
  get merging(): readonly string[] {
    return [...this.#merging];
  }

  /** How many this execution of the workflow has started. */
  get started(): number {
    return this.#started;
  }

  /** Stories whose next attempt does not simply go on in its worktree. */
  get nextStarts(): { readonly [storyId: string]: WorkspaceStart } {
    return Object.fromEntries([...this.#nextStart].filter(([, start]) => start.kind !== 'keep'));
  }

  /** Its next attempt goes on from the branch as it is then. */
  forgetStart(storyId: string): void {
    this.#nextStart.delete(storyId);
  }

  /** Stops the agents of these stories after their steps; what they have done is not merged. */
  async drop(storyIds: readonly string[]): Promise<void> {
    for (const storyId of storyIds) {
      this.#dropped.add(storyId);
      const child = this.#inFlight.get(storyId);
      if (child !== undefined) await signalChild(child, 'stop');
    }
  }

  hasAgent(storyId: string): boolean {
    return this.#inFlight.get(storyId) !== undefined;
  }

  /** The agent is told before its next step. */
  async nudge(storyId: string, nudge: Nudge): Promise<void> {
    await this.#inFlight.get(storyId)?.signal(nudgeSignal, nudge);
  }

  async signalAll(signal: keyof typeof childSignals): Promise<void> {
    const children = [...this.#inFlight.values()].filter((child) => child !== undefined);
    await Promise.all(children.map((child) => signalChild(child, signal)));
  }

  /** One attempt at a story; returns when it is merged, has failed or was stopped. */
  async attempt(ready: ReadyStory): Promise<void> {
    const { storyId, title, attempt } = ready;
    this.#inFlight.set(storyId, undefined);
    this.#started++;
    this.#board.startAttempt({ storyId, title, attempt });
    const story = this.#storyInput(ready);
    const tries = ready.tries + 1;
    try {
      await record({
        runId: story.runId,
        events: [
          {
            key: `${attemptId(story.runId, storyId, attempt)}:started`,
            kind: 'story-started',
            storyId,
            attempt,
            body: { title },
          },
        ],
        story: { storyId, status: 'running', attempts: attempt },
      });
      const result = await this.#runChild(story);
      this.#board.addUsage(storyId, result.usage);
      if (await this.#isWanted(storyId)) await this.#settle(story, result, tries);
    } catch (error) {
      const failure = isCancellation(error) ? undefined : activityError(error);
      if (failure === undefined) throw error;
      if (!(await this.#isWanted(storyId))) return;
      await this.#red(story, { reason: 'tool-failed', message: failure.message }, 0, tries, { kind: 'keep' });
    } finally {
      this.#inFlight.delete(storyId);
      this.#dropped.delete(storyId);
    }
  }

  /** What has come of an attempt counts; not when its story was taken out of the PRD. */
  async #isWanted(storyId: string): Promise<boolean> {
    if (this.#run().isReloading) await condition(() => !this.#run().isReloading);
    if (!this.#dropped.has(storyId)) return true;
    this.#nextStart.delete(storyId);
    this.#board.note(storyId, { status: 'retry', note: 'taken out of the PRD' });
    return false;
  }

  #storyInput({ storyId, title, attempt, verificationSteps }: ReadyStory): RalphStoryInput {
    const { runId, hostId, options, gates } = this.#run().input;
    const start = this.#nextStart.get(storyId) ?? { kind: 'keep' };
    return {
      runId,
      storyId,
      title,
      attempt,
      hostId,
      ...(options.remote === undefined ? {} : { isShared: true }),
      model: options.model,
      ...(options.fallbackModel === undefined ? {} : { fallbackModel: options.fallbackModel }),
      onAsk: options.onAsk ?? 'deny',
      askTimeoutMs: options.askTimeoutMs ?? defaultAskTimeoutMs,
      maxSteps: options.maxSteps,
      gates,
      verificationSteps,
      start,
      baselineEnded: this.#run().baselineEnded,
    };
  }

  async #runChild(story: RalphStoryInput): Promise<RalphStoryResult> {
    const child = await startChild<typeof ralphStory>('ralphStory', {
      workflowId: attemptId(story.runId, story.storyId, story.attempt),
      args: [story],
      workflowTaskTimeout,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `${story.storyId} ${story.title}, attempt ${story.attempt}`,
    });
    this.#inFlight.set(story.storyId, child);
    if (this.#run().isPaused) await signalChild(child, 'pause');
    if (this.#run().isEnding || this.#dropped.has(story.storyId)) await signalChild(child, 'stop');
    if (this.#run().baselineEnded && !story.baselineEnded) await signalChild(child, 'baselineEnded');
    try {
      return await child.result();
    } catch (error) {
      if (this.#run().isCancelled || !(error instanceof ChildWorkflowFailure)) throw error;
      // Somebody ended the attempt in the engine's UI, or it broke: the story gets another one.
      return {
        kind: 'red',
        reason: 'tool-failed',
        message: `the attempt was ended: ${error.cause?.message ?? error.message}`,
        usage: noUsage,
        durationMs: 0,
      };
    }
  }

  async #settle(story: RalphStoryInput, result: RalphStoryResult, tries: number): Promise<void> {
    const { storyId } = story;
    switch (result.kind) {
      case 'green': {
        this.#board.note(storyId, { status: 'merging' });
        const denied = await this.#mergeDenied(story, result);
        if (!(await this.#isWanted(storyId))) return;
        if (denied !== undefined && this.#run().isEnding)
          return this.#board.note(storyId, { status: 'retry', note: 'stopped' });
        if (denied !== undefined) {
          const failed = { reason: 'merge-denied' as const, message: denied, files: result.files };
          return await this.#red(story, failed, result.durationMs, tries, { kind: 'keep' });
        }
        const merged = await this.#merge({ story, ...result });
        if (merged.kind === 'red') {
          const failed = { ...merged, files: result.files };
          return await this.#red(story, failed, result.durationMs, tries, merged.nextStart);
        }
        this.#nextStart.delete(storyId);
        this.#board.passed++;
        this.#board.note(storyId, { status: 'passed', commit: merged.commit, note: '' });
        upsertSearchAttributes([
          { key: progressAttribute, value: Math.floor((100 * this.#board.passed) / Math.max(1, this.#board.total)) },
          { key: costAttribute, value: this.#board.usage.costUsd },
        ]);
        return;
      }
      case 'red':
        return await this.#red(story, result, result.durationMs, tries, { kind: 'keep' });
      case 'stopped':
        return this.#board.note(storyId, { status: 'retry', note: 'stopped' });
      case 'budget-exceeded':
        this.#board.note(storyId, { status: 'retry', note: result.budget });
        return await this.#end({
          outcome: 'budget-exceeded',
          message: `the next model call does not fit under the cap (${result.budget})`,
        });
      case 'unusable':
        this.#board.note(storyId, { status: 'failed', note: result.message });
        return await this.#end({ outcome: 'error', message: `${result.message} [${result.code}]` });
    }
  }

  /** Asks a person, where the run is to; why the story is not merged, or undefined when it may be. */
  async #mergeDenied(
    { storyId }: RalphStoryInput,
    { commit, filesChanged }: Pick<GreenStory, 'commit' | 'filesChanged'>,
  ): Promise<string | undefined> {
    const { options, branch } = this.#run().input;
    if (options.askMerge !== true || filesChanged === 0) return undefined;
    this.#board.note(storyId, { note: 'waits for a person to approve the merge' });
    const files = filesChanged === 1 ? '1 file' : `${filesChanged} files`;
    const question = {
      kind: 'merge' as const,
      storyId,
      question: `merge ${files} onto ${branch}? git show ${commit.slice(0, 10)}`,
      choices: ['approve', 'deny'] as const,
      isSafe: true,
    };
    const { answer, answeredBy, note } = await this.#approver.ask(question, () => this.#dropped.has(storyId));
    if (answer === 'approve') return undefined;
    if (answeredBy === 'timeout') return 'nobody approved the merge in time';
    return `a person did not approve the merge${note === '' ? '' : `: ${note}`}`;
  }

  /** The gates are the run's as they are now: none that was added meanwhile is passed by. */
  async #merge(green: GreenStory): Promise<MergeResult> {
    const { storyId } = green.story;
    this.#merging.add(storyId);
    try {
      const story = { ...green.story, gates: this.#run().input.gates };
      return await this.#lane.merge({ ...green, story }, (note) => this.#board.note(storyId, { note }));
    } finally {
      this.#merging.delete(storyId);
    }
  }

  async #red(
    story: RalphStoryInput,
    failed: {
      readonly reason: Extract<RalphStoryResult, { kind: 'red' }>['reason'];
      readonly message: string;
      readonly files?: readonly string[];
    },
    durationMs: number,
    tries: number,
    nextStart: WorkspaceStart,
  ): Promise<void> {
    const { runId, storyId, attempt } = story;
    const verdict = await this.#host.progress.judgeFailure.executeWithOptions(
      { summary: `${storyId}: does it get anywhere` },
      [{ runId, storyId, attempt, reason: failed.reason, message: failed.message }],
    );
    const diagnosis = verdict.kind === 'go-on' ? {} : { diagnosis: verdict.diagnosis };
    const triesLeft = verdict.kind === 'blocked' ? 0 : Math.max(0, this.#run().input.options.maxAttempts - tries);
    const id = attemptId(runId, storyId, attempt);
    const events: NewRunEvent[] = [
      {
        key: `${id}:failed`,
        kind: 'attempt-failed',
        storyId,
        attempt,
        body: { reason: failed.reason, message: failed.message, triesLeft, durationMs, ...diagnosis },
      },
    ];
    if (triesLeft === 0) {
      events.push({
        key: `${id}:story-failed`,
        kind: 'story-failed',
        storyId,
        attempt,
        body: {
          message: verdict.kind === 'blocked' ? `goes round in circles: ${verdict.diagnosis}` : failed.message,
          attempts: attempt,
          workspace: null,
        },
      });
    }
    // A resolver that did not make it is not asked again: the story is done anew on what is there now.
    this.#nextStart.set(storyId, story.start.kind === 'conflict' ? { kind: 'tip' } : nextStart);
    await record({
      runId,
      events,
      story: {
        storyId,
        status: triesLeft === 0 ? 'failed' : 'open',
        feedback: { reason: failed.reason, message: failed.message, ...diagnosis },
        ...(failed.files === undefined ? {} : { files: failed.files }),
        addDurationMs: durationMs,
      },
    });
    await syncPrdFiles(this.#host, runId);
    this.#board.note(storyId, { status: triesLeft === 0 ? 'failed' : 'retry', note: failed.message });
  }
}

async function signalChild(
  child: ChildWorkflowHandle<typeof ralphStory>,
  signal: keyof typeof childSignals,
): Promise<void> {
  // A child that has just ended cannot be signalled, and need not be.
  await child.signal(childSignals[signal]).catch(() => undefined);
}
