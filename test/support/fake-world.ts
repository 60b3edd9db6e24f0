import { ApplicationFailure } from '@temporalio/common';
import type { Approval } from '../../domain/run/approval.ts';
import type {
  CheckResult,
  CommitStoryResult,
  EndTurnInput,
  FindAgentResult,
  HostActivities,
  MergeStoryResult,
  ModelActivities,
  ModelStepResult,
  ProjectionActivities,
  RecordInput,
  ReloadPrdInput,
  RevertStoriesResult,
  FinishRunInput,
  ToolCallInput,
} from '../../domain/contracts/activities.ts';
import type { PushActivities, TaskActivities, WorkOnTaskInput, WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { HookEvent } from '../../domain/session/hook-points.ts';
import type { BudgetShare } from '../../domain/run/budget.ts';
import type { CheckVerdict } from '../../domain/run/events.ts';
import type { ReloadResult, WorkspaceStart } from '../../domain/contracts/ralph.ts';
import { spreadOut } from '../../domain/ralph/overlap.ts';
import { agentPath } from '../../domain/run/ids.ts';
import { fingerprintOf } from '../../domain/run/fingerprint.ts';
import { judgeProgress } from '../../domain/run/progress.ts';
import type { RememberedFailure } from '../../domain/run/progress.ts';
import { blockedStories, isOpen, readyStories } from '../../domain/ralph/schedule.ts';
import type { ScheduledStory } from '../../domain/ralph/schedule.ts';

interface FakeStory extends ScheduledStory {
  /** What it is likely to change. */
  readonly files: readonly string[];
  attempts: number;
  status: ScheduledStory['status'];
  tries: number;
}

/** What the world does, by story; the default is an attempt of two steps whose gates are green. */
export interface Behaviour {
  readonly model?: (call: {
    storyId: string;
    attempt: number;
    step: number;
    readsOnly?: boolean;
    sessionId: string;
    shares: readonly BudgetShare[] | undefined;
    tools?: readonly string[];
  }) => ModelStepResult | Promise<ModelStepResult>;
  readonly tool?: (call: ToolCallInput) => Promise<void>;
  /** Of calls that are lost; default: true. */
  readonly isBegun?: boolean;
  /** See `ToolCallResult`. */
  readonly repeats?: (call: ToolCallInput) => number;
  /** Git tree that a failed attempt left; by default another one each time. */
  readonly tree?: (call: { storyId: string; attempt: number }) => string;
  /** True is green, false is red. */
  readonly gate?: (call: {
    storyId: string | undefined;
    attempt: number | undefined;
    where: string;
  }) => boolean | CheckVerdict | Promise<boolean>;
  /** A message fails the attempt. */
  readonly inspect?: (call: { storyId: string; attempt: number; where: string }) => string | undefined;
  readonly commit?: (call: { storyId: string; attempt: number }) => CommitStoryResult | undefined;
  readonly revert?: (storyIds: readonly string[]) => RevertStoriesResult | undefined;
  /** Why a message cannot be worked on. */
  readonly turnProblem?: (messageId: string) => { code: string; message: string } | undefined;
  /** Why a hook says no. */
  readonly hook?: (
    event: HookEvent,
    about: { readonly isLastRound: boolean; readonly sessionId: string },
  ) => string | undefined;
  /** What is wrong with an answer. @param tell the first time */
  readonly answerProblem?: (tell: boolean) => string | undefined;
  /** Before the end of an agent that another one has started is written down. */
  readonly closing?: () => Promise<void>;
  /** An agent from a file. */
  readonly agent?: (name: string) => FindAgentResult | undefined;
  readonly turnOpens?: () => Promise<void>;
  /** What comes of looking at a task. */
  readonly task?: (input: WorkOnTaskInput) => WorkOnTaskResult | Promise<WorkOnTaskResult>;
  /** What comes of telling a receiver; absent: there is nothing to be told. */
  readonly push?: () => number | null | Promise<number | null>;
  readonly reload?: (input: ReloadPrdInput, world: FakeWorld) => ReloadResult;
  /** The host of a story's work, or of what is done for the run as a whole. */
  readonly place?: (work: { storyId: string | null }) => {
    hostId: string;
    number: number;
    takeOver: boolean;
    expiresInMs?: number;
  };
  readonly merge?: (call: { storyId: string; attempt: number; commit: string }) => MergeStoryResult | undefined;
}

const usage = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, costUsd: 0.001 };

export const answers = {
  finished: { kind: 'answered', stop: 'finished', toolCalls: [], usage },
  write: {
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls: [{ id: 'w', name: 'write', risk: 'write', label: 'write a.txt' }],
    usage,
  },
  bash: {
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls: [{ id: 'b', name: 'bash', risk: 'shell', label: 'bash npm test' }],
    usage,
  },
  push: {
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls: [
      {
        id: 'p',
        name: 'bash',
        risk: 'shell',
        label: 'bash git push',
        ask: { why: 'it pushes to a remote', isSafe: false },
      },
    ],
    usage,
  },
  reads: {
    kind: 'answered',
    stop: 'tool-calls',
    toolCalls: ['r1', 'r2', 'r3'].map((id) => ({ id, name: 'read', risk: 'read', label: `read ${id}` })),
    usage,
  },
} as const satisfies Record<string, ModelStepResult>;

/** `scout `; nothing for the session's or story's own. */
function nameOf(sessionId: string): string {
  const path = agentPath(sessionId);
  return path === undefined ? '' : `${path} `;
}

/** All activities of a run in memory: what workflows decide is tested against this, what activities do is tested elsewhere. */
export class FakeWorld {
  readonly log: string[] = [];
  readonly stories: FakeStory[];
  readonly starts: WorkspaceStart[] = [];
  /** What is asked now. */
  readonly approvals = new Map<string, Approval>();
  readonly failures = new Map<string, RememberedFailure[]>();
  readonly records: RecordInput[] = [];
  finished: FinishRunInput | undefined;
  readonly turnEnds: EndTurnInput[] = [];
  /** Model calls so far. */
  steps = 0;
  #turns = 0;
  #behaviour: Behaviour;
  #keys = new Set<string>();
  readonly #agentSteps = new Map<string, number[]>();

  constructor(
    stories: readonly {
      readonly id: string;
      readonly dependsOn?: readonly string[];
      readonly files?: readonly string[];
    }[],
    behaviour: Behaviour = {},
  ) {
    this.stories = stories.map(({ id, dependsOn = [], files = [] }, position) => ({
      storyId: id,
      files,
      position,
      status: 'open',
      dependsOn,
      priority: 1,
      complexity: 3,
      tries: 0,
      attempts: 0,
    }));
    this.#behaviour = behaviour;
  }

  activities(): HostActivities & ModelActivities & ProjectionActivities & PushActivities & TaskActivities {
    const note = (line: string) => this.log.push(line);
    return {
      openRepository: async () => ({ base: 'base', tip: 'base' }),
      prepareWorkspace: async ({ storyId, attempt, start }) => {
        this.starts.push(start);
        note(`prepare ${storyId}:${attempt} ${start.kind}`);
        return { path: `/w/${storyId}`, base: 'base' };
      },
      openSession: async () => undefined,
      modelStep: async ({ storyId, attempt, step, readsOnly, tools, sessionId, shares }) => {
        note(`model ${storyId}:${attempt}:${step}`);
        this.steps = Math.max(this.steps, step);
        this.#agentSteps.set(sessionId, [...(this.#agentSteps.get(sessionId) ?? []), step]);
        return (
          (await this.#behaviour.model?.({
            storyId,
            attempt,
            step,
            sessionId,
            shares,
            ...(readsOnly === undefined ? {} : { readsOnly }),
            ...(tools === undefined ? {} : { tools }),
          })) ?? (step === 1 ? answers.write : answers.finished)
        );
      },
      toolCall: async (call) => {
        const how = call.isPlanning === true ? ' in plan mode' : '';
        note(`tool ${call.storyId}:${call.attempt}:${call.step}:${call.callId}${how}`);
        await this.#behaviour.tool?.(call);
        return { ok: true, durationMs: 1, repeats: this.#behaviour.repeats?.(call) ?? 0 };
      },
      recoverToolCall: async ({ storyId, callId, risk }) => {
        note(`recover ${storyId}:${callId}`);
        return { kind: risk === 'write' ? 'rerun' : 'interrupted', isBegun: this.#behaviour.isBegun ?? true };
      },
      inspectChange: async ({ storyId, attempt, where }) => {
        const message = this.#behaviour.inspect?.({ storyId, attempt, where });
        return message === undefined ? { ok: true } : { ok: false, message };
      },
      runGate: async ({ storyId, attempt, where }) =>
        this.#check(`${where} ${storyId ?? '-'}:${attempt ?? '-'}`, { storyId, attempt, where }),
      runVerification: async ({ storyId, attempt, where }) =>
        this.#check(`verify ${where} ${storyId}:${attempt}`, { storyId, attempt, where }),
      takeOverWorkspace: async ({ storyId, attempt }) => {
        note(`take over ${storyId}:${attempt}`);
        return { kind: 'taken-over', path: `/elsewhere/${storyId}` };
      },
      commitStory: async ({ storyId, attempt }) =>
        this.#behaviour.commit?.({ storyId, attempt }) ?? {
          kind: 'committed',
          commit: `c-${storyId}-${attempt}`,
          filesChanged: 1,
          files: [`${storyId}.txt`],
        },
      mergeStory: async ({ storyId, attempt, commit }) => {
        note(`merge ${storyId}:${attempt}`);
        return (
          this.#behaviour.merge?.({ storyId, attempt, commit }) ?? {
            kind: 'merged',
            commit: `m-${storyId}-${attempt}`,
            tip: 'tip',
          }
        );
      },
      revertStories: async ({ storyIds }) => {
        note(`revert ${storyIds.join(' ')}`);
        return (
          this.#behaviour.revert?.(storyIds) ?? {
            kind: 'reverted',
            tip: 'tip',
            commit: `r-${storyIds.join('-')}`,
            reverts: storyIds.map((storyId) => ({ storyId, commit: `r-${storyId}`, reverted: `m-${storyId}` })),
          }
        );
      },
      advanceBranch: async ({ commit }) => {
        note(`advance ${commit}`);
        return { kind: 'advanced' };
      },
      removeWorkspace: async ({ storyId }) => void note(`remove ${storyId}`),
      closeRepository: async () => ({
        tip: 'tip',
        commits: this.stories.filter((story) => story.status === 'passed').length,
      }),
      judgeFailure: async ({ storyId, attempt, reason, message }) => {
        const tree = this.#behaviour.tree?.({ storyId, attempt }) ?? `tree-${storyId}-${attempt}`;
        const failures = this.failures.get(storyId) ?? [];
        failures.push({ attempt, reason, message, files: ['a.txt'], ...fingerprintOf({ reason, message, tree }) });
        this.failures.set(storyId, failures);
        return judgeProgress(failures);
      },
      cleanUp: async () => ({ entries: [], more: 0 }),
      syncPrdFiles: async () => undefined,
      denyToolCall: async ({ storyId, callId, reason }) => void note(`deny ${storyId}:${callId} ${reason}`),
      nudgeAgent: async ({ storyId, text }) => void note(`nudge ${storyId} ${text}`),
      requestApproval: async (approval) => {
        this.approvals.set(approval.approvalId, approval);
        note(`ask ${approval.storyId} ${approval.kind}`);
      },
      settleApproval: async ({ approvalId, storyId, state, answer, answeredBy }) => {
        if (!this.approvals.delete(approvalId)) return;
        note(`${state} ${storyId} ${answer} ${answeredBy}`);
      },
      openTurn: async ({ messageId, agent }) => {
        note(`turn ${messageId} ${agent}`);
        await this.#behaviour.turnOpens?.();
        if (this.turnEnds.some((end) => end.messageId === messageId)) return { kind: 'answered' };
        this.#turns++;
        const problem = this.#behaviour.turnProblem?.(messageId);
        const turn = { kind: 'opened', turn: this.#turns, firstStep: 1 + this.steps } as const;
        return problem === undefined ? turn : { ...turn, problem };
      },
      runHooks: async ({ event, step, callId, isLastRound, sessionId }) => {
        note(`hook ${event} ${step}${callId === undefined ? '' : ` ${callId}`}`);
        const reason = this.#behaviour.hook?.(event, { isLastRound: isLastRound === true, sessionId });
        return reason === undefined ? { kind: 'passed' } : { kind: 'denied', reason };
      },
      workOnTask: async (input) => {
        note(`task${input.isCanceling ? ' canceling' : ''}${input.problem === undefined ? '' : ` ${input.problem}`}`);
        return (await this.#behaviour.task?.(input)) ?? { isOver: true };
      },
      deliverNext: async () => {
        note('push');
        return { waitMs: (await this.#behaviour.push?.()) ?? null };
      },
      endTurn: async (input) => {
        note(`turn ${input.messageId} ended ${input.outcome}`);
        this.turnEnds.push(input);
      },
      checkAnswer: async ({ tell }) => {
        const problem = this.#behaviour.answerProblem?.(tell);
        return problem === undefined ? { ok: true } : { ok: false, problem };
      },
      placeWork: async ({ storyId }) => {
        const placement = this.#behaviour.place?.({ storyId }) ?? { hostId: 'test-host', number: 1, takeOver: false };
        const { hostId, number, takeOver } = placement;
        note(`place ${storyId ?? 'run'} ${hostId}`);
        return {
          lease: { leaseId: storyId ?? 'run', hostId, number },
          expiresInMs: placement.expiresInMs ?? 30_000,
          takeOver,
        };
      },
      openAgent: async ({ sessionId, readsOnly }) => {
        note(`agent ${sessionId.replace(/^[^:]+:[^:]+/, '')}${readsOnly ? ' reads' : ''}`);
        return { firstStep: 1 + Math.max(0, ...(this.#agentSteps.get(sessionId) ?? [])) };
      },
      closeAgent: async ({ sessionId, end, message }) => {
        await this.#behaviour.closing?.();
        note(`agent ${sessionId.replace(/^[^:]+:[^:]+/, '')} ${end}${message === '' ? '' : ` ${message}`}`);
      },
      findAgent: async ({ agent }) =>
        this.#behaviour.agent?.(agent) ?? { kind: 'not-found', message: `there is no agent ${agent}` },
      tellAgent: async ({ sessionId, callId }) => void note(`told ${nameOf(sessionId)}${callId}`),
      answerAgentCall: async ({ sessionId, callId, ok, text, ended }) => {
        const answers = ended.map(({ name, end }) => ` [${name} ${end}]`).join('');
        note(`${nameOf(sessionId)}${callId}${ok ? '' : ' refused'}:${answers} ${text}`);
      },
      remindOfAgents: async ({ working, unread }) =>
        void note(`remind${['', ...working].join(' ')};${['', ...unread].join(' ')}`),
      openAsk: async ({ storyId, callId, asks }) => {
        note(`open ${storyId}:${callId} ${asks}`);
        if (asks === 'plan')
          return {
            kind: 'ask',
            question: { kind: 'plan', question: 'the plan', choices: ['approve', 'deny'], isSafe: true },
          };
        return {
          kind: 'ask',
          question: { kind: 'question', question: 'which?', choices: [], defaultChoice: 'this one' },
        };
      },
      closeAsk: async ({ storyId, callId, settlement: { state, answer, answeredBy, note: told } }) =>
        void note(`told ${storyId}:${callId} ${[state, answer, answeredBy, told].filter(Boolean).join(' ')}`),
      readyStories: async ({ inFlight, limit }) => this.#ready(new Set(inFlight), limit),
      reloadPrd: async (input) => {
        note(`reload ${input.prd} in flight: ${input.inFlight.join(' ')}`);
        return this.#behaviour.reload?.(input, this) ?? { kind: 'refused', storyIds: [] };
      },
      record: async (input) => this.#record(input),
      finishRun: async (input) => {
        for (const id of blockedStories(this.stories).keys()) this.#story(id).status = 'blocked';
        this.finished = input;
      },
    };
  }

  async #check(
    line: string,
    call: { storyId: string | undefined; attempt: number | undefined; where: string },
  ): Promise<CheckResult> {
    const came = (await this.#behaviour.gate?.(call)) ?? true;
    const verdict = came === true ? 'ok' : came === false ? 'red' : came;
    this.log.push(`gate ${line}`);
    const ok = verdict === 'ok';
    return { ok, verdict, exitCode: ok ? 0 : 1, durationMs: 1, summary: ok ? '' : '1 of 2 tests' };
  }

  #ready(inFlight: ReadonlySet<string>, limit: number) {
    const footprints = new Map(this.stories.map(({ storyId, files }) => [storyId, { storyId, files: new Set(files) }]));
    const options = { inFlight: [...inFlight], footprints, limit };
    const { start, held } = spreadOut(readyStories(this.stories, inFlight), options);
    return {
      held,
      ready: start.map(({ storyId, attempts, tries }) => ({
        storyId,
        title: `title of ${storyId}`,
        attempt: attempts + 1,
        tries,
        verificationSteps: 0,
      })),
      total: this.stories.length,
      passed: this.stories.filter((story) => story.status === 'passed').length,
      open: this.stories.filter((story) => isOpen(story, inFlight)).length,
    };
  }

  #record(input: RecordInput): void {
    const key = input.events[0]?.key;
    if (key !== undefined && this.#keys.has(key)) return;
    if (key !== undefined) this.#keys.add(key);
    this.records.push(input);
    for (const event of input.events)
      this.log.push(`event ${event.kind}${event.storyId === undefined ? '' : ` ${event.storyId}`}`);
    if (input.story === undefined) return;
    const story = this.#story(input.story.storyId);
    if (input.story.status !== undefined) story.status = input.story.status;
    if (input.story.attempts !== undefined && input.story.attempts > story.attempts) {
      story.attempts = input.story.attempts;
      story.tries++;
    }
  }

  #story(storyId: string): FakeStory {
    const story = this.stories.find((candidate) => candidate.storyId === storyId);
    if (story === undefined) throw ApplicationFailure.nonRetryable(`no story ${storyId}`);
    return story;
  }
}
