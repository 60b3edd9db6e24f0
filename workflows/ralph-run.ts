import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { nudgeSignal } from './control.ts';
import type {
  StoryMessage,
  RalphRunInput,
  RalphRunResult,
  RalphRunState,
  RalphStoryInput,
  RalphStoryResult,
  RollbackRequest,
  WorkspaceStart,
} from '../domain/contracts/ralph.ts';
import { defaultAskTimeoutMs } from '../domain/run/approval.ts';
import { childSignals, runUpdates, stateQuery, workflowTaskTimeout } from '../domain/contracts/ralph.ts';
import type { ReadyStory } from '../domain/contracts/activities.ts';
import type { HeldStory } from '../domain/ralph/overlap.ts';
import { capsProblem, noUsage } from '../domain/run/budget.ts';
import type { CapsChange } from '../domain/run/budget.ts';
import type { NewRunEvent, RunOutcome, RunStatus } from '../domain/run/events.ts';
import { attemptId } from '../domain/run/ids.ts';
import { activityError } from './failure.ts';
import { MergeLane } from './merge-lane.ts';
import { onHost } from './policies.ts';
import type { Host } from './policies.ts';
import { finishRun, readyStories, record, syncPrdFiles } from './projections.ts';
import type { ralphStory } from './ralph-story.ts';
import { rollBack } from './roll-back.ts';
import { RunBoard } from './run-board.ts';

const statusAttribute = defineSearchAttributeKey('CodetetherStatus', 'KEYWORD');
const progressAttribute = defineSearchAttributeKey('CodetetherProgress', 'INT');
const costAttribute = defineSearchAttributeKey('CodetetherCostUsd', 'DOUBLE');

/**
 * One execution of a Ralph run: starts an attempt (`ralphStory`) for every story that is ready, merges what comes back
 * green, tries again what comes back red, until nothing more can start. The stories' states live in the store; the
 * workflow holds only what it has touched. A run that is started again goes on with what has not passed.
 */
export async function ralphRun(input: RalphRunInput): Promise<RalphRunResult> {
  return await new RalphRun(input).execute();
}

/** Why nothing new starts any more. */
interface Ending {
  readonly outcome: RunOutcome;
  readonly message: string;
}

/** States: running ⇄ paused → ending (nothing new starts, what is in flight finishes) → finished. */
class RalphRun {
  /** The caps in it change with `set-caps`. */
  #input: RalphRunInput;
  readonly #host: Host;
  readonly #lane: MergeLane;
  readonly #board: RunBoard;
  /** Stories being worked on; undefined until their child workflow has started. */
  readonly #inFlight = new Map<string, ChildWorkflowHandle<typeof ralphStory> | undefined>();
  /** Everything started in the background; none of these rejects. */
  readonly #background: Promise<void>[] = [];
  /** Cancelled to end all work at once. */
  readonly #scope = new CancellationScope();
  readonly #nextStart = new Map<string, WorkspaceStart>();
  /** Stories held back, and for whom. */
  readonly #heldBy = new Map<string, string>();
  #heldNotes = 0;
  readonly #startedAtMs: number;
  #deadline: CancellationScope | undefined;
  #baselineEnded: boolean;
  #iterations: number;
  #paused: boolean;
  #ending: Ending | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Raised whenever something that the main loop waits for has happened. */
  #changes = 0;
  #steering = 0;
  /** Rollbacks that are asked for and not over. */
  #rollbacks = 0;

  constructor(input: RalphRunInput) {
    const resume = input.resume;
    this.#input = input;
    this.#host = onHost(input.hostId);
    this.#lane = new MergeLane(this.#host);
    this.#startedAtMs = resume?.startedAtMs ?? Date.now();
    this.#iterations = resume?.iterations ?? 0;
    // Continue-as-new waits for it.
    this.#baselineEnded = resume !== undefined;
    this.#paused = resume?.paused ?? false;
    this.#board = new RunBoard(input.runId, resume);
    for (const [storyId, start] of Object.entries(resume?.nextStarts ?? {})) this.#nextStart.set(storyId, start);
    this.#listen();
  }

  async execute(): Promise<RalphRunResult> {
    this.#setDeadline();
    let ending: Ending | undefined;
    try {
      await this.#scope.run(async () => {
        if (this.#input.resume === undefined) await this.#open();
        await this.#work();
      });
    } catch (error) {
      ending = this.#endingOf(error);
    }
    return await CancellationScope.nonCancellable(async () => {
      this.#deadline?.cancel();
      this.#scope.cancel();
      await Promise.all(this.#background);
      ending ??= this.#ending;
      if (ending === undefined && workflowInfo().continueAsNewSuggested) return await this.#continueAsNew();
      return await this.#finish(ending ?? (await this.#natural()));
    });
  }

  /** Rethrows what is a defect of the workflow itself: its task fails and is tried again after a mend. */
  #endingOf(error: unknown): Ending {
    if (isCancellation(error)) return this.#ending ?? { outcome: 'cancelled', message: 'cancelled by request' };
    const failure = activityError(error);
    if (failure === undefined) throw error;
    return { outcome: 'error', message: `${failure.message} [${failure.code}]` };
  }

  // ── steering ───────────────────────────────────────────────────────────────

  #listen(): void {
    const unlessEnding = {
      validator: () => {
        if (this.#ending !== undefined) throw new Error('the run is ending');
      },
    };
    setHandler(defineUpdate<RunStatus>(runUpdates.pause), () => this.#setPaused(true), unlessEnding);
    setHandler(defineUpdate<RunStatus>(runUpdates.resume), () => this.#setPaused(false), unlessEnding);
    setHandler(defineUpdate<RunStatus>(runUpdates.stop), async () => {
      await this.#end({ outcome: 'stopped', message: 'stopped by request' });
      return 'stopping' as const;
    });
    setHandler(defineUpdate<void, [RollbackRequest]>(runUpdates.rollback), (request) => this.#startRollback(request), {
      validator: ({ storyIds }) => {
        unlessEnding.validator();
        if (storyIds.length === 0) throw new Error('no story is named');
      },
    });
    setHandler(defineUpdate<RunStatus, [CapsChange]>(runUpdates.setCaps), (change) => this.#setCaps(change), {
      validator: (change) => {
        unlessEnding.validator();
        const problem = capsProblem(change);
        if (problem !== null) throw new Error(problem);
      },
    });
    setHandler(defineUpdate<void, [StoryMessage]>(runUpdates.nudge), (message) => this.#nudge(message), {
      validator: ({ storyId }) => {
        unlessEnding.validator();
        if (this.#inFlight.get(storyId) === undefined) throw new Error(`nobody works on ${storyId} now`);
      },
    });
    setHandler(defineUpdate<void, [StoryMessage]>(runUpdates.retry), (message) => this.#retry(message), {
      validator: ({ storyId }) => {
        unlessEnding.validator();
        if (this.#board.statusOf(storyId) !== 'failed') throw new Error(`${storyId} has not failed`);
      },
    });
    setHandler(defineQuery<RalphRunState>(stateQuery), () => this.#state());
  }

  async #setPaused(paused: boolean): Promise<RunStatus> {
    const status = paused ? 'paused' : 'running';
    if (this.#paused === paused) return status;
    this.#paused = paused;
    this.#board.setStatus(status);
    this.#changed();
    upsertSearchAttributes([{ key: statusAttribute, value: status }]);
    await this.#record([{ key: this.#steerKey(), kind: paused ? 'run-paused' : 'run-resumed', body: {} }], status);
    await this.#signalChildren(paused ? 'pause' : 'resume');
    return status;
  }

  /** From the next call on, and for the rest of the run; the caps that are not named stay. */
  async #setCaps(change: CapsChange): Promise<RunStatus> {
    const options = { ...this.#input.options, ...change };
    this.#input = { ...this.#input, options };
    if (change.maxTimeMs !== undefined) this.#setDeadline();
    const { maxCostUsd, maxTokens, maxTotalSteps = null, maxTimeMs } = options;
    await record({
      runId: this.#input.runId,
      events: [
        { key: this.#steerKey(), kind: 'caps-changed', body: { maxCostUsd, maxTokens, maxTotalSteps, maxTimeMs } },
      ],
      run: { caps: change },
    });
    return this.#paused ? 'paused' : 'running';
  }

  /** The agent is told before its next step. */
  async #nudge({ storyId, text }: StoryMessage): Promise<void> {
    await this.#inFlight.get(storyId)?.signal(nudgeSignal, { nudgeId: uuid4(), text });
  }

  /** A failed story gets one more attempt, whose agent is told the hint. */
  async #retry({ storyId, text }: StoryMessage): Promise<void> {
    const before = this.#board.noteOf(storyId);
    this.#board.note(storyId, { status: 'retry', note: text });
    await record({
      runId: this.#input.runId,
      events: [{ key: this.#steerKey(), kind: 'story-reopened', storyId, body: { hint: text } }],
      story: {
        storyId,
        status: 'open',
        ...(text === '' ? {} : { feedback: { reason: 'failed', message: `${before}\n\nA person says: ${text}` } }),
      },
    });
    this.#changed();
  }

  /** Nothing new starts; what is in flight finishes its step. The first reason stands. */
  async #end(ending: Ending): Promise<void> {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#board.setStatus('stopping');
    this.#changed();
    await this.#record([{ key: this.#steerKey(), kind: 'run-stopping', body: { mode: 'stop' } }], 'stopping');
    await this.#signalChildren('stop');
  }

  /** Taken at once, done in the merge lane; how it ended is in the events. */
  #startRollback(request: RollbackRequest): void {
    this.#rollbacks++;
    this.#inBackground(async () => {
      try {
        const { runId, gates } = this.#input;
        const end = await rollBack(this.#lane, this.#host, { runId, gates, ...request });
        // They are done anew from the branch as it is now.
        if (end === 'rolled-back') for (const storyId of request.storyIds) this.#nextStart.delete(storyId);
      } finally {
        this.#rollbacks--;
      }
    });
  }

  async #signalChildren(signal: keyof typeof childSignals): Promise<void> {
    const children = [...this.#inFlight.values()].filter((child) => child !== undefined);
    await Promise.all(children.map((child) => signalChild(child, signal)));
  }

  #steerKey(): string {
    return `steer:${workflowInfo().runId}:${++this.#steering}`;
  }

  // ── the loop ───────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    const input = this.#input;
    const { runId, options } = input;
    const repository = await this.#host.workspaces.openRepository.executeWithOptions(
      { summary: 'open the repository' },
      [{ runId }],
    );
    const { total, passed } = await readyStories(runId, { inFlight: [], limit: 0 });
    this.#board.setCounts({ total, passed });
    await record({
      runId,
      run: { status: 'running', base: repository.base, tip: repository.tip },
      events: [
        {
          key: `started:${input.execution}`,
          kind: 'run-started',
          body: {
            execution: input.execution,
            project: input.project,
            feature: input.feature,
            branch: input.branch,
            base: repository.base,
            model: options.model,
            gates: [...input.gates],
            total,
            passed,
            maxIterations: options.maxIterations,
            maxConcurrent: options.maxConcurrent,
            maxCostUsd: options.maxCostUsd,
            maxTokens: options.maxTokens,
            maxTimeMs: options.maxTimeMs,
            uiUrl: input.uiUrl,
          },
        },
      ],
    });
  }

  /** Ends the run at its wall-clock cap, whatever it is doing; the one that was set before is called off. */
  #setDeadline(): void {
    this.#deadline?.cancel();
    const timer = new CancellationScope();
    this.#deadline = timer;
    const { maxTimeMs } = this.#input.options;
    if (maxTimeMs !== null) {
      const ring = async () => {
        await sleep(Math.max(1, this.#startedAtMs + maxTimeMs - Date.now()));
        this.#ending ??= { outcome: 'budget-exceeded', message: 'the time cap is reached (max-time)' };
        this.#scope.cancel();
      };
      this.#background.push(timer.run(ring).catch(() => undefined));
    }
  }

  async #work(): Promise<void> {
    if (this.#input.resume === undefined) this.#inBackground(() => this.#lane.exclusively(() => this.#baseline()));
    for (;;) {
      const seen = this.#changes;
      if (this.#mayStart()) {
        const { options, runId } = this.#input;
        const limit = Math.min(options.maxConcurrent - this.#inFlight.size, options.maxIterations - this.#iterations);
        const stories = await readyStories(runId, { inFlight: [...this.#inFlight.keys()], limit });
        this.#board.setCounts(stories);
        await this.#noteHeld(stories.held);
        if (this.#mayStart()) for (const story of stories.ready) this.#inBackground(() => this.#attempt(story));
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      const waitsToResume = this.#paused && this.#ending === undefined;
      if (this.#inFlight.size === 0 && this.#rollbacks === 0 && !waitsToResume) return;
      await condition(() => this.#changes !== seen);
    }
  }

  /** Says once for each story whom it waits for. */
  async #noteHeld(held: readonly HeldStory[]): Promise<void> {
    const { runId } = this.#input;
    const news = held.filter(({ storyId, by }) => this.#heldBy.get(storyId) !== by);
    for (const { storyId, by } of news) this.#heldBy.set(storyId, by);
    if (news.length === 0) return;
    const key = `held:${workflowInfo().runId}:${++this.#heldNotes}`;
    const events = news.map(({ storyId, by, files }, index): NewRunEvent => ({
      key: `${key}:${index}`,
      kind: 'story-held',
      storyId,
      body: { by, files: [...files] },
    }));
    await record({ runId, events });
  }

  /** A failure that no story answers for ends the main loop; a cancellation does so by itself. */
  #inBackground(work: () => Promise<void>): void {
    const guarded = async () => {
      try {
        await work();
      } catch (error) {
        if (!isCancellation(error)) this.#failure ??= { error };
      } finally {
        this.#changed();
      }
    };
    this.#background.push(guarded());
  }

  #mayStart(): boolean {
    return (
      this.#ending === undefined &&
      !this.#paused &&
      !workflowInfo().continueAsNewSuggested &&
      this.#inFlight.size < this.#input.options.maxConcurrent &&
      this.#iterations < this.#input.options.maxIterations
    );
  }

  async #baseline(): Promise<void> {
    const { runId, gates } = this.#input;
    for (const gate of gates) {
      await this.#host.gates.runGate.executeWithOptions({ summary: `baseline: gate ${gate}` }, [
        { runId, gate, where: 'baseline' },
      ]);
    }
    this.#baselineEnded = true;
    await this.#signalChildren('baselineEnded');
  }

  async #attempt(ready: ReadyStory): Promise<void> {
    const { storyId, title, attempt } = ready;
    this.#inFlight.set(storyId, undefined);
    this.#heldBy.delete(storyId);
    this.#iterations++;
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
      await this.#settle(story, result, tries);
    } catch (error) {
      const failure = isCancellation(error) ? undefined : activityError(error);
      if (failure === undefined) throw error;
      await this.#red(story, { reason: 'tool-failed', message: failure.message }, 0, tries, { kind: 'keep' });
    } finally {
      this.#inFlight.delete(storyId);
    }
  }

  #storyInput({ storyId, title, attempt, verificationSteps }: ReadyStory): RalphStoryInput {
    const { runId, hostId, options, gates } = this.#input;
    const start = this.#nextStart.get(storyId) ?? { kind: 'keep' };
    return {
      runId,
      storyId,
      title,
      attempt,
      hostId,
      model: options.model,
      ...(options.fallbackModel === undefined ? {} : { fallbackModel: options.fallbackModel }),
      onAsk: options.onAsk ?? 'deny',
      askTimeoutMs: options.askTimeoutMs ?? defaultAskTimeoutMs,
      maxSteps: options.maxSteps,
      gates,
      verificationSteps,
      start,
      baselineEnded: this.#baselineEnded,
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
    if (this.#paused) await signalChild(child, 'pause');
    if (this.#ending !== undefined) await signalChild(child, 'stop');
    if (this.#baselineEnded && !story.baselineEnded) await signalChild(child, 'baselineEnded');
    try {
      return await child.result();
    } catch (error) {
      if (this.#scope.consideredCancelled || !(error instanceof ChildWorkflowFailure)) throw error;
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
        const merged = await this.#lane.merge({ story, ...result }, (note) => this.#board.note(storyId, { note }));
        if (merged.kind === 'red') {
          const failed = { ...merged, files: result.files };
          return await this.#red(story, failed, result.durationMs, tries, merged.nextStart);
        }
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
    const triesLeft = verdict.kind === 'blocked' ? 0 : Math.max(0, this.#input.options.maxAttempts - tries);
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

  // ── ends ───────────────────────────────────────────────────────────────────

  /** The outcome of a run that nobody ended. */
  async #natural(): Promise<Ending> {
    const { total, passed, open } = await readyStories(this.#input.runId, { inFlight: [], limit: 0 });
    this.#board.setCounts({ total, passed });
    if (passed === total) return { outcome: 'completed', message: '' };
    if (open > 0 && this.#iterations >= this.#input.options.maxIterations) {
      return {
        outcome: 'max-iterations',
        message: `${this.#iterations} attempts were made, as many as allowed (max-iterations)`,
      };
    }
    return { outcome: 'quality-failed', message: `${total - passed} of ${total} stories did not pass` };
  }

  async #finish(ending: Ending): Promise<RalphRunResult> {
    const { runId, execution } = this.#input;
    this.#ending ??= ending;
    const closed = await this.#host.workspaces.closeRepository.executeWithOptions({ summary: 'close the repository' }, [
      { runId },
    ]);
    await finishRun({
      runId,
      execution,
      ...ending,
      tip: closed.tip,
      commits: closed.commits,
      durationMs: Math.max(0, Date.now() - this.#startedAtMs),
    });
    await syncPrdFiles(this.#host, runId);
    upsertSearchAttributes([{ key: statusAttribute, value: ending.outcome }]);
    this.#board.setStatus(ending.outcome);
    await condition(allHandlersFinished);
    return { outcome: ending.outcome, passed: this.#board.passed, total: this.#board.total };
  }

  async #continueAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    return await continueAsNew<typeof ralphRun>({ ...this.#input, resume: this.#state() });
  }

  // ── state ──────────────────────────────────────────────────────────────────

  #state(): RalphRunState {
    return {
      iterations: this.#iterations,
      startedAtMs: this.#startedAtMs,
      paused: this.#paused,
      rows: this.#board.carried(),
      nextStarts: Object.fromEntries([...this.#nextStart].filter(([, start]) => start.kind !== 'keep')),
      passed: this.#board.passed,
      total: this.#board.total,
      usage: this.#board.usage,
    };
  }

  async #record(events: readonly NewRunEvent[], status?: RunStatus): Promise<void> {
    await record({
      runId: this.#input.runId,
      events,
      ...(status === undefined ? {} : { run: { status } }),
    });
  }

  #changed(): void {
    this.#changes++;
  }
}

async function signalChild(
  child: ChildWorkflowHandle<typeof ralphStory>,
  signal: keyof typeof childSignals,
): Promise<void> {
  // A child that has just ended cannot be signalled, and need not be.
  await child.signal(childSignals[signal]).catch(() => undefined);
}
