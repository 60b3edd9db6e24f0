import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  setHandler,
  sleep,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  StoryMessage,
  RalphRunInput,
  RalphRunResult,
  RalphRunState,
  ReloadRequest,
  ReloadResult,
  RollbackRequest,
} from '../domain/contracts/ralph.ts';
import { runUpdates, stateQuery } from '../domain/contracts/ralph.ts';
import type { ReadyStory } from '../domain/contracts/activities.ts';
import type { HeldStory } from '../domain/ralph/overlap.ts';
import { defaultAskTimeoutMs } from '../domain/run/approval.ts';
import { budgetLineKey, capsProblem } from '../domain/run/budget.ts';
import type { BudgetLine, CapsChange } from '../domain/run/budget.ts';
import type { NewRunEvent, RunStatus } from '../domain/run/events.ts';
import { listenToAnswers } from './approval.ts';
import type { Approver } from './approval.ts';
import { budgetLineSignal } from './control.ts';
import { activityError } from './failure.ts';
import { MergeLane } from './merge-lane.ts';
import { hostFor } from './placed-host.ts';
import { onHost } from './policies.ts';
import type { Host } from './policies.ts';
import { finishRun, readyStories, record, reloadPrd, syncPrdFiles } from './projections.ts';
import { rollBack } from './roll-back.ts';
import { RunBoard } from './run-board.ts';
import { statusAttribute } from './search-attributes.ts';
import { StoryAttempts } from './story-attempts.ts';
import type { Ending } from './story-attempts.ts';

/**
 * One execution of a Ralph run: starts an attempt (`ralphStory`) for every story that is ready, merges what comes back
 * green, tries again what comes back red, until nothing more can start. The stories' states live in the store; the
 * workflow holds only what it has touched. A run that is started again goes on with what has not passed.
 */
export async function ralphRun(input: RalphRunInput): Promise<RalphRunResult> {
  return await new RalphRun(input).execute();
}

/** States: running ⇄ paused → ending (nothing new starts, what is in flight finishes) → finished. */
class RalphRun {
  /** The caps in it change with `set-caps`. */
  #input: RalphRunInput;
  readonly #host: Host;
  readonly #lane: MergeLane;
  readonly #board: RunBoard;
  readonly #approver: Approver;
  readonly #attempts: StoryAttempts;
  /** Everything started in the background; none of these rejects. */
  readonly #background: Promise<void>[] = [];
  /** Cancelled to end all work at once. */
  readonly #scope = new CancellationScope();
  /** Stories held back, and for whom. */
  readonly #heldBy = new Map<string, string>();
  #heldNotes = 0;
  readonly #startedAtMs: number;
  #deadline: CancellationScope | undefined;
  /** Baselines of gates that are not recorded yet: the PRD's at first, then those that it is changed to have. */
  #baselines: number;
  /** Attempts that were started before this execution of the workflow. */
  readonly #earlierIterations: number;
  #paused: boolean;
  #ending: Ending | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Raised whenever something that the main loop waits for has happened. */
  #changes = 0;
  #steering = 0;
  /** Rollbacks that are asked for and not over. */
  #rollbacks = 0;
  /** Changes of the PRD that are being taken. */
  #reloads = 0;
  /** Budget lines that this execution of the workflow was told of. */
  readonly #lines = new Set<string>();
  /** A person is asked whether the run is to go on. */
  #asking = false;
  /** How it ends is being decided. */
  #closing = false;

  constructor(input: RalphRunInput) {
    const resume = input.resume;
    this.#input = input;
    const isShared = input.options.remote !== undefined;
    this.#host = hostFor({ ...input, isShared });
    this.#lane = new MergeLane(this.#host);
    this.#startedAtMs = resume?.startedAtMs ?? Date.now();
    this.#earlierIterations = resume?.iterations ?? 0;
    // Continue-as-new waits for it.
    this.#baselines = resume === undefined ? 1 : 0;
    this.#paused = resume?.paused ?? false;
    this.#board = new RunBoard(input.runId, resume);
    this.#approver = listenToAnswers({
      runId: input.runId,
      policy: () => ({
        onAsk: input.options.onAsk ?? 'deny',
        timeoutMs: input.options.askTimeoutMs ?? defaultAskTimeoutMs,
      }),
      control: this.#answering(),
    });
    this.#attempts = new StoryAttempts({
      run: () => ({
        input: this.#input,
        isPaused: this.#isHeld,
        isEnding: this.#ending !== undefined,
        isCancelled: this.#scope.consideredCancelled,
        baselineEnded: this.#baselines === 0,
        isReloading: this.#reloads > 0,
      }),
      end: (ending) => this.#end(ending),
      host: this.#host,
      lane: this.#lane,
      board: this.#board,
      approver: this.#approver,
      nextStarts: resume?.nextStarts ?? {},
    });
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
      this.#closing = true;
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
        if (this.#ending !== undefined || this.#closing) throw new Error('the run is ending');
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
    const reload = (request: ReloadRequest) => this.#reload(request);
    setHandler(defineUpdate<ReloadResult, [ReloadRequest]>(runUpdates.reload), reload, {
      validator: ({ prd, savedAt }) => {
        unlessEnding.validator();
        if (prd === '' || Number.isNaN(Date.parse(savedAt))) throw new Error('the PRD is not named');
      },
    });
    const nudge = async ({ storyId, text }: StoryMessage) =>
      await this.#attempts.nudge(storyId, { nudgeId: uuid4(), text });
    setHandler(defineUpdate<void, [StoryMessage]>(runUpdates.nudge), nudge, {
      validator: ({ storyId }) => {
        unlessEnding.validator();
        if (!this.#attempts.hasAgent(storyId)) throw new Error(`nobody works on ${storyId} now`);
      },
    });
    setHandler(defineUpdate<void, [StoryMessage]>(runUpdates.retry), (message) => this.#retry(message), {
      validator: ({ storyId }) => {
        unlessEnding.validator();
        // One that failed before this execution and was left alone is not on its board.
        const status = this.#board.statusOf(storyId) ?? 'failed';
        if (status !== 'failed') throw new Error(`${storyId} has not failed`);
      },
    });
    setHandler(budgetLineSignal, (line) => this.#inBackground(() => this.#askAtLine(line)));
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
    if (paused) await this.#attempts.signalAll('pause');
    else await this.#resumeAll();
    return status;
  }

  /** Nothing starts and agents wait between their steps. */
  get #isHeld(): boolean {
    return this.#paused || this.#asking;
  }

  async #resumeAll(): Promise<void> {
    if (!this.#isHeld) await this.#attempts.signalAll('resume');
  }

  /** Nobody is waited for once the run is to end. */
  #answering(): { readonly stopping: boolean } {
    const isOver = () => this.#ending !== undefined || this.#closing || this.#scope.consideredCancelled;
    return {
      get stopping() {
        return isOver();
      },
    };
  }

  /** Holds the run until a person has decided; one that comes late for the same line just goes on. */
  async #askAtLine(line: BudgetLine): Promise<void> {
    const key = budgetLineKey(line);
    if (this.#lines.has(key)) return await this.#resumeAll();
    this.#lines.add(key);
    this.#asking = true;
    await this.#attempts.signalAll('pause');
    await this.#record([{ key, kind: 'budget-line-reached', body: { ...line } }]);
    const spent = `$${line.spentUsd.toFixed(2)} of $${line.maxCostUsd.toFixed(2)}`;
    const { answer } = await this.#approver.ask({
      kind: 'budget-line',
      storyId: '',
      question: `${spent} is spent, ${line.percent}% is reached: go on up to the cap?`,
      choices: ['go on', 'stop'],
      isSafe: false,
    });
    this.#asking = false;
    if (answer === 'go on') return await this.#resumeAll();
    const message = `${spent} is spent, and nobody wanted to go on past ${line.percent}% (ask-at)`;
    await this.#end({ outcome: 'budget-exceeded', message });
  }

  /** Nothing starts before a person has seen what is about to be done; once an execution. */
  async #askPlan(): Promise<void> {
    this.#asking = true;
    const { branch, options } = this.#input;
    const { passed, total } = this.#board;
    const cap =
      options.maxCostUsd === null ? 'without a cap on its cost' : `for $${options.maxCostUsd.toFixed(2)} at most`;
    const { answer, note } = await this.#approver.ask({
      kind: 'plan',
      storyId: '',
      question: `work on ${total - passed} of ${total} stories, on ${branch}, with ${options.model}, ${cap}?`,
      choices: ['start', 'stop'],
      isSafe: false,
    });
    this.#asking = false;
    if (answer === 'start') return await this.#resumeAll();
    await this.#end({ outcome: 'stopped', message: `the plan was not approved${note === '' ? '' : `: ${note}`}` });
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

  /** Nothing starts or is merged until the stories are as the PRD has them. */
  async #reload(request: ReloadRequest): Promise<ReloadResult> {
    this.#reloads++;
    try {
      const { inFlight, merging } = this.#attempts;
      const result = await reloadPrd({ runId: this.#input.runId, ...request, inFlight, merging });
      if (result.kind === 'refused') return result;
      this.#input = { ...this.#input, gates: result.gates };
      if (result.changedGates.length > 0) this.#startBaseline(result.changedGates);
      await this.#attempts.drop(result.stopped);
      return result;
    } finally {
      this.#reloads--;
      this.#changed();
    }
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
    await this.#attempts.signalAll('stop');
  }

  /** Taken at once, done in the merge lane; how it ended is in the events. */
  #startRollback(request: RollbackRequest): void {
    this.#rollbacks++;
    this.#inBackground(async () => {
      try {
        const { runId, gates } = this.#input;
        const end = await rollBack(this.#lane, this.#host, { runId, gates, ...request });
        // They are done anew from the branch as it is now.
        if (end === 'rolled-back') for (const storyId of request.storyIds) this.#attempts.forgetStart(storyId);
      } finally {
        this.#rollbacks--;
      }
    });
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
            ...(input.retry === undefined ? {} : { retry: input.retry }),
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
    if (this.#input.resume === undefined) {
      this.#inBackground(() => this.#baseline(this.#input.gates));
      if (this.#input.options.askPlan === true) this.#inBackground(() => this.#askPlan());
    }
    for (;;) {
      const seen = this.#changes;
      if (this.#mayStart()) {
        const { options, runId } = this.#input;
        const { inFlight } = this.#attempts;
        const limit = Math.min(options.maxConcurrent - inFlight.length, options.maxIterations - this.#iterations);
        const stories = await readyStories(runId, { inFlight, limit });
        this.#board.setCounts(stories);
        await this.#noteHeld(stories.held);
        if (this.#mayStart()) for (const story of stories.ready) this.#startAttempt(story);
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      const waitsToResume = this.#paused && this.#ending === undefined;
      const isBusy = this.#attempts.inFlight.length > 0 || this.#rollbacks > 0 || this.#reloads > 0 || this.#asking;
      if (!isBusy && !waitsToResume) return;
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

  get #iterations(): number {
    return this.#earlierIterations + this.#attempts.started;
  }

  #mayStart(): boolean {
    return (
      this.#ending === undefined &&
      !this.#isHeld &&
      this.#reloads === 0 &&
      !workflowInfo().continueAsNewSuggested &&
      this.#attempts.inFlight.length < this.#input.options.maxConcurrent &&
      this.#iterations < this.#input.options.maxIterations
    );
  }

  #startAttempt(story: ReadyStory): void {
    this.#heldBy.delete(story.storyId);
    this.#inBackground(() => this.#attempts.attempt(story));
  }

  /** Attempts that start from now on wait for it. */
  #startBaseline(gates: readonly string[]): void {
    this.#baselines++;
    this.#inBackground(() => this.#baseline(gates));
  }

  async #baseline(gates: readonly string[]): Promise<void> {
    const { runId } = this.#input;
    await this.#lane.exclusively(async () => {
      for (const gate of gates) {
        await this.#host.gates.runGate.executeWithOptions({ summary: `baseline: gate ${gate}` }, [
          { runId, gate, where: 'baseline' },
        ]);
      }
      this.#baselines--;
      if (this.#baselines === 0) await this.#attempts.signalAll('baselineEnded');
    });
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
    await this.#syncAtHome();
    upsertSearchAttributes([{ key: statusAttribute, value: ending.outcome }]);
    this.#board.setStatus(ending.outcome);
    await condition(allHandlersFinished);
    return { outcome: ending.outcome, passed: this.#board.passed, total: this.#board.total };
  }

  /** The lane may be elsewhere by now; the user's files are where the run was started, if that is there. */
  async #syncAtHome(): Promise<void> {
    const { runId, hostId, options } = this.#input;
    const ownHost = onHost(hostId);
    if (options.remote === undefined) return await syncPrdFiles(ownHost, runId);
    const summary = 'write prd.json and progress.txt at home';
    try {
      await ownHost.files.syncPrdFiles.executeWithOptions({ summary, scheduleToStartTimeout: '20s' }, [{ runId }]);
    } catch (error) {
      if (activityError(error) === undefined) throw error;
      await syncPrdFiles(this.#host, runId);
    }
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
      nextStarts: this.#attempts.nextStarts,
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
