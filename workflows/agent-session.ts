import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { AttemptRef, RunHooksResult } from '../domain/contracts/activities.ts';
import { stateQuery } from '../domain/contracts/ralph.ts';
import type { Nudge } from '../domain/contracts/ralph.ts';
import { sessionUpdates } from '../domain/contracts/session.ts';
import type {
  AgentSessionInput,
  AgentSessionState,
  Interruption,
  SessionMessage,
  TurnState,
} from '../domain/contracts/session.ts';
import { noUsage } from '../domain/run/budget.ts';
import type { RunOutcome } from '../domain/run/events.ts';
import { sessionAgentId } from '../domain/run/ids.ts';
import { mostHookRounds } from '../domain/session/hook-points.ts';
import { runAgentLoop } from './agent-loop.ts';
import { rulesOf } from './agent-rules.ts';
import type { AgentLoopEnd } from './agent-loop.ts';
import { listenToAnswers } from './approval.ts';
import type { Approver } from './approval.ts';
import { listenToParent } from './control.ts';
import type { Control } from './control.ts';
import { activityError } from './failure.ts';
import { onHost, projections } from './policies.ts';
import type { Host } from './policies.ts';
import { runHooks, toolHooks } from './tool-hooks.ts';
import type { HookOccasion, HookedSession } from './tool-hooks.ts';

/**
 * A conversation with one agent: a turn for each message, one after the other in the order of their coming. Messages, answers
 * and results live in the transcript; the workflow holds ids. It ends when nobody has said anything for a while: the next
 * message starts it again, and it goes on from the transcript.
 */
export async function agentSession(input: AgentSessionInput): Promise<void> {
  await new AgentSession(input).execute();
}

/** Held in memory that long after its last turn; one that has ended costs nothing. */
const idleMs = 5_000;

interface TurnEnd {
  readonly outcome: RunOutcome;
  readonly message: string;
  readonly code: string | null;
}

class AgentSession {
  readonly #sessionId: string;
  readonly #input: AgentSessionInput;
  readonly #host: Host;
  readonly #control: Control;
  readonly #approver: Approver;
  #queue: SessionMessage[];
  #turn: TurnState | undefined;
  /** The message at the head of the queue whose turn is being opened. */
  #opening: string | undefined;
  /** Of the turn under way. */
  #scope: CancellationScope | undefined;
  #timeIsUp = false;

  constructor(input: AgentSessionInput) {
    this.#input = input;
    this.#sessionId = input.sessionId;
    this.#host = onHost(input.hostId);
    this.#queue = [...(input.resume?.queue ?? [])];
    this.#turn = input.resume?.turn;
    this.#control = listenToParent();
    this.#approver = listenToAnswers({
      runId: input.sessionId,
      policy: () => ({
        onAsk: this.#turn?.message.onAsk ?? 'deny',
        timeoutMs: this.#turn?.message.askTimeoutMs ?? idleMs,
      }),
      control: this.#control,
    });
    this.#listen();
  }

  async execute(): Promise<void> {
    for (;;) {
      if (this.#turn === undefined && !(await this.#openNext())) {
        await condition(allHandlersFinished);
        if (this.#queue.length === 0) return;
        continue;
      }
      await this.#work();
      if (workflowInfo().continueAsNewSuggested) return await this.#continueAsNew();
    }
  }

  #listen(): void {
    setHandler(
      defineUpdate<number, [SessionMessage]>(sessionUpdates.message),
      (message) => {
        const place = this.#placeOf(message);
        if (place !== undefined) return place;
        this.#queue.push(message);
        return this.#queue.length - 1 + (this.#turn === undefined ? 0 : 1);
      },
      {
        validator: (message: SessionMessage) => {
          if (this.#queue.length >= maxQueued && this.#placeOf(message) === undefined)
            throw new Error(`${maxQueued} messages wait already`);
        },
      },
    );
    const requireTurn = () => {
      if (this.#turn === undefined) throw new Error('no turn is under way');
    };
    const steer = (nudge: Nudge) => {
      this.#control.nudges.push(nudge);
    };
    setHandler(defineUpdate<void, [Nudge]>(sessionUpdates.steer), steer, {
      validator: (_nudge: Nudge) => requireTurn(),
    });
    setHandler(
      defineUpdate<void, [Interruption?]>(sessionUpdates.interrupt),
      async (about?: Interruption) => {
        if (about === undefined || this.#turn?.message.messageId === about.messageId) return this.#scope?.cancel();
        // Its turn is being opened: it cannot be taken out any more.
        await condition(() => this.#opening !== about.messageId);
        if (this.#turn?.message.messageId === about.messageId) await this.#cancelOnceAtWork();
        else this.#queue = this.#queue.filter(({ messageId }) => messageId !== about.messageId);
      },
      {
        validator: (about?: Interruption) => {
          if (about === undefined) return requireTurn();
          if (this.#placeOf(about) === undefined) throw new Error(`${about.messageId} is not there`);
        },
      },
    );
    setHandler(defineQuery<AgentSessionState>(stateQuery), () => this.#state());
  }

  async #cancelOnceAtWork(): Promise<void> {
    const turn = this.#turn?.turn;
    await condition(() => this.#scope !== undefined || this.#turn?.turn !== turn);
    if (this.#turn?.turn === turn) this.#scope?.cancel();
  }

  /** How many messages are before one that has come already; 0 for the one that is worked on. */
  #placeOf({ messageId }: Pick<SessionMessage, 'messageId'>): number | undefined {
    if (this.#turn?.message.messageId === messageId) return 0;
    const index = this.#queue.findIndex((queued) => queued.messageId === messageId);
    return index < 0 ? undefined : index + (this.#turn === undefined ? 0 : 1);
  }

  /** False when nothing was asked for a while. */
  async #openNext(): Promise<boolean> {
    setCurrentDetails(`**${this.#sessionId}** waits for a message`);
    if (!(await condition(() => this.#queue.length > 0, idleMs))) return false;
    const message = this.#queue[0];
    if (message === undefined) return false;
    this.#opening = message.messageId;
    const opened = await this.#open(message);
    this.#queue.shift();
    if (opened !== undefined) this.#turn = opened;
    this.#opening = undefined;
    return true;
  }

  async #open(message: SessionMessage): Promise<TurnState | undefined> {
    const opened = await this.#host.sessions.openTurn.executeWithOptions({ summary: `message ${message.messageId}` }, [
      { sessionId: this.#sessionId, ...message },
    ]);
    if (opened.kind === 'answered') return undefined;
    const { turn, firstStep, before, problem } = opened;
    const at = { firstStep, step: firstStep, startedAtMs: Date.now() };
    const state = { message, turn, ...at, repaired: false, ...(before === undefined ? {} : { before }) };
    if (problem === undefined) return state;
    await this.#end(state, { outcome: 'error', ...problem });
    return undefined;
  }

  /** Works on the turn until it has ended, or the history has grown too long. */
  async #work(): Promise<void> {
    const scope = new CancellationScope();
    this.#scope = scope;
    this.#timeIsUp = false;
    const deadline = new CancellationScope();
    deadline.run(() => this.#endInTime(scope)).catch(() => undefined);
    let end: TurnEnd | undefined;
    try {
      end = await scope.run(() => this.#loop());
    } catch (error) {
      end = this.#failed(error);
    } finally {
      deadline.cancel();
      this.#scope = undefined;
    }
    const turn = this.#turn;
    if (end === undefined || turn === undefined) return;
    await this.#end(turn, end);
    this.#turn = undefined;
    this.#control.nudges = [];
  }

  async #endInTime(scope: CancellationScope): Promise<void> {
    const turn = this.#turn;
    if (turn === undefined || turn.message.maxTimeMs === null) return;
    await sleep(Math.max(1, turn.startedAtMs + turn.message.maxTimeMs - Date.now()));
    this.#timeIsUp = true;
    scope.cancel();
  }

  /** Undefined when the turn is to go on in a new execution. */
  async #loop(): Promise<TurnEnd | undefined> {
    if (this.#turn !== undefined) await this.#startHooks(this.#turn);
    for (;;) {
      const turn = this.#turn;
      if (turn === undefined) return undefined;
      const end = await this.#runAgent(turn);
      this.#turn = { ...turn, step: end.step, agents: end.agents };
      if (end.kind === 'continue-as-new') return undefined;
      if (end.kind !== 'finished') return unfinished(end, turn.message.maxSteps);
      const asked = await this.#askHooks(this.#turn);
      if (asked !== undefined && asked.isLast) return { outcome: 'quality-failed', message: asked.reason, code: null };
      if (asked !== undefined) continue;
      const problem = await this.#checkAnswer(this.#turn);
      if (problem === undefined) return { outcome: 'completed', message: interruptedNote(end), code: null };
      if (turn.repaired) return { outcome: 'error', message: problem, code: 'output-schema-mismatch' };
      this.#turn = { ...this.#turn, repaired: true };
    }
  }

  async #runAgent(turn: TurnState): Promise<AgentLoopEnd> {
    const { message } = turn;
    return await runAgentLoop(
      {
        attempt: this.#attempt(turn),
        sessionId: this.#sessionId,
        model: message.model,
        fallbackModel: message.fallbackModel,
        firstStep: turn.firstStep,
        maxSteps: turn.firstStep + message.maxSteps - 1,
        ...rulesOf(message),
        host: this.#host,
        control: this.#control,
        approver: this.#approver,
        hooks: toolHooks(this.#hooked(turn)),
        agents: {
          hostId: this.#input.hostId,
          onAsk: message.onAsk,
          askTimeoutMs: message.askTimeoutMs,
          ...(message.hooks === undefined ? {} : { hooks: message.hooks }),
        },
        onStep: (step, what) =>
          setCurrentDetails(`**turn ${turn.turn}**, step ${step - turn.firstStep + 1} of ${message.maxSteps}: ${what}`),
      },
      { step: turn.step, usage: noUsage, ...(turn.agents === undefined ? {} : { agents: turn.agents }) },
    );
  }

  /** Once in a session; again after a continue-as-new that came first, which changes nothing. */
  async #startHooks(turn: TurnState): Promise<void> {
    if (turn.turn === 1 && turn.step === turn.firstStep)
      await this.#runHooks(turn, { event: 'session-start', step: turn.step });
  }

  /** What the hooks at the end of a turn want of one more round, which then is the next; undefined: nothing. */
  async #askHooks(turn: TurnState): Promise<{ readonly isLast: boolean; readonly reason: string } | undefined> {
    const rounds = turn.rounds ?? 0;
    const isLast = rounds === mostHookRounds;
    const asked = await this.#runHooks(turn, { event: 'turn-end', step: turn.step, isLastRound: isLast });
    if (asked.kind === 'passed') return undefined;
    this.#turn = { ...turn, rounds: rounds + 1 };
    return { isLast, reason: `after ${rounds} more rounds still: ${asked.reason}`.slice(0, 500) };
  }

  async #runHooks(turn: TurnState, occasion: HookOccasion): Promise<RunHooksResult> {
    return await runHooks(this.#hooked(turn), occasion);
  }

  #hooked(turn: TurnState): HookedSession {
    return { host: this.#host, attempt: this.#attempt(turn), sessionId: this.#sessionId, hooks: turn.message.hooks };
  }

  #attempt({ turn }: TurnState): AttemptRef {
    return { runId: this.#sessionId, storyId: sessionAgentId, attempt: turn };
  }

  /** What is wrong with the answer, which the model is told the first time. */
  async #checkAnswer({ message, step, repaired }: TurnState): Promise<string | undefined> {
    const { outputSchema } = message;
    if (outputSchema === undefined) return undefined;
    const checked = await projections.checkAnswer.executeWithOptions({ summary: 'check the answer' }, [
      { sessionId: this.#sessionId, outputSchema, step, tell: !repaired },
    ]);
    return checked.ok ? undefined : checked.problem;
  }

  #failed(error: unknown): TurnEnd {
    if (isCancellation(error)) {
      return this.#timeIsUp
        ? { outcome: 'budget-exceeded', message: 'the time cap is reached (max-time)', code: 'budget-exceeded' }
        : { outcome: 'cancelled', message: 'interrupted', code: null };
    }
    const failure = activityError(error);
    if (failure === undefined) throw error;
    return { outcome: 'error', ...failure };
  }

  async #end({ message, turn, startedAtMs, before }: TurnState, end: TurnEnd): Promise<void> {
    await this.#host.sessions.endTurn.executeWithOptions({ summary: `turn ${turn}: ${end.outcome}` }, [
      {
        sessionId: this.#sessionId,
        messageId: message.messageId,
        turn,
        ...end,
        durationMs: Math.max(0, Date.now() - startedAtMs),
        goesOn: this.#queue.some(({ messageId }) => messageId !== message.messageId),
        ...(before === undefined ? {} : { before }),
      },
    ]);
  }

  async #continueAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    return await continueAsNew<typeof agentSession>({ ...this.#input, resume: this.#state() });
  }

  #state(): AgentSessionState {
    return { queue: this.#queue, ...(this.#turn === undefined ? {} : { turn: this.#turn }) };
  }
}

/** The turn has its answer; what agents beside it were at is not done. */
function interruptedNote({ interrupted }: AgentLoopEnd): string {
  return interrupted.length === 0 ? '' : `interrupted, since they still worked: ${interrupted.join(', ')}`;
}

const maxQueued = 50;

function unfinished(end: AgentLoopEnd, maxSteps: number): TurnEnd {
  switch (end.kind) {
    case 'max-steps':
      return { outcome: 'max-iterations', message: `not finished after ${maxSteps} steps (max-steps)`, code: null };
    case 'looping':
      return {
        outcome: 'quality-failed',
        message: `the same ${end.repeats} times with the same result: ${end.label}`,
        code: null,
      };
    case 'unusable-answers':
      return { outcome: 'error', message: end.message, code: 'answers-unusable' };
    case 'budget-exceeded':
      return {
        outcome: 'budget-exceeded',
        message: `the next model call does not fit under the cap (${end.budget})`,
        code: 'budget-exceeded',
      };
    case 'stopped':
    case 'finished':
    case 'continue-as-new':
      return { outcome: 'stopped', message: 'stopped by request', code: null };
  }
}
