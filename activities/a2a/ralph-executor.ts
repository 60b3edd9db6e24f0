import type { NewTaskEvent } from '../../domain/a2a/task.ts';
import type { WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { RunDetailView, StartRunRequest, StartRunResponse } from '../../domain/contracts/api.ts';
import type { Store } from '../../domain/contracts/store.ts';
import type { TaskLog, TaskRecord, TaskWorkOf } from '../../domain/contracts/task-store.ts';
import type { RunEvent, RunEventBody } from '../../domain/run/events.ts';
import { isActive } from '../../domain/run/status.ts';
import { patchBetween } from '../session/diff-since.ts';
import type { Git } from '../workspace/git.ts';
import { createAskSender } from './ask-sender.ts';
import type { AskSenderDeps } from './ask-sender.ts';
import { busyMs, results, slowMs, stateOf, status } from './task-status.ts';
import type { Append } from './task-status.ts';
import { unless } from './unless.ts';

export interface RalphExecutorDeps extends AskSenderDeps {
  readonly store: AskSenderDeps['store'] & Pick<Store, 'readRunEvents'>;
  /** As the API does it, for the tenant whose task it is. */
  readonly runs: {
    startRun(request: StartRunRequest, options: { readonly idempotencyKey: string }): Promise<StartRunResponse>;
    getRun(runId: string): Promise<RunDetailView>;
    /** @throws `run-not-active` */
    steer(runId: string, verb: 'cancel'): Promise<unknown>;
  };
  readonly git: Git;
  readonly hostId: string;
}

const toldKinds = ['story-passed', 'story-failed', 'run-ended'] as const;
const mostTold = 500;

/**
 * A task's work is an execution of a run. What the task says is read off the run's log from where the execution began, so that it is the
 * same however often it is looked at; what other executions do is none of it.
 */
export function createRalphExecutor(deps: RalphExecutorDeps) {
  const { store, runs } = deps;
  const ask = createAskSender(deps);

  return async (
    task: TaskLog,
    work: TaskWorkOf<'ralph'>,
    { isCanceling, append }: { readonly isCanceling: boolean; readonly append: Append },
  ): Promise<WorkOnTaskResult> => {
    if (isCanceling && task.state === 'submitted') {
      await append(status(task, 'canceled', { key: 'end', text: 'canceled before it began' }));
      return { isOver: true };
    }
    const afterSeq = begunAfter(task) ?? (await start(task, work, append));
    // Notices a run that was ended behind our back, and ends it in its log.
    const run = await runs.getRun(work.runId);
    const told = await store.readRunEvents(work.runId, { afterSeq, limit: mostTold, kinds: toldKinds });
    const end = told.find((event) => event.kind === 'run-ended');
    // A question that is waited for stays the task's status.
    if (run.approvals.length === 0) await append(...told.flatMap((event) => progressOf(task, event, end)));
    if (end?.kind === 'run-ended') {
      await append(...(await endOf(task, run, end.body)));
      return { isOver: true };
    }
    if (isCanceling) await unless('run-not-active', () => runs.steer(work.runId, 'cancel'));
    else await ask(task, work.runId, append);
    return { isOver: false, waitMs: isCanceling || !isActive(run.status) ? busyMs : slowMs };
  };

  function begunAfter({ events }: TaskLog): number | undefined {
    return events.flatMap((event) => (event.kind === 'status' ? (event.body.runAfterSeq ?? []) : [])).at(0);
  }

  /** However often it is asked for, one execution is begun: the API answers a repetition with what it has answered first. */
  async function start(task: TaskRecord, { request }: TaskWorkOf<'ralph'>, append: Append): Promise<number> {
    await append(status(task, 'working', { key: 'working' }));
    const { kind, run, afterSeq } = await runs.startRun(request, { idempotencyKey: `task:${task.taskId}` });
    const how = kind === 'started' ? 'started' : 'is being worked on already, and goes on as it is';
    await append(
      status(task, 'working', {
        key: 'started',
        text: `${run.runId} ${how}: ${run.passed} of ${run.total} stories have passed, branch ${run.branch}`,
        runAfterSeq: afterSeq,
      }),
    );
    return afterSeq;
  }

  async function endOf(
    task: TaskRecord,
    run: RunDetailView,
    end: RunEventBody<'run-ended'>,
  ): Promise<readonly NewTaskEvent[]> {
    const { outcome, message, passed, total, branch, tip, commits, tokens, costUsd } = end;
    const words = `${passed} of ${total} stories have passed: ${commits} commits on ${branch}, $${costUsd.toFixed(2)}`;
    const stories = run.stories.map(({ storyId, title, status: state, commit, problem }) => ({
      storyId,
      title,
      status: state,
      commit,
      problem,
    }));
    const isHere = run.hostId === deps.hostId && run.base !== null && tip !== null;
    return [
      ...results({
        answer: words,
        changes: {
          data: { runId: run.runId, branch, base: run.base, tip, commits, tokens, costUsd, stories },
          description: 'The run branch, and what became of each story.',
        },
        patch: isHere ? await patchBetween(deps.git, run.repoPath, [run.base ?? '', tip]) : undefined,
      }),
      status(task, stateOf(outcome), { key: 'end', text: message === '' ? words : message }),
    ];
  }
}

/** A line for each story that has ended; none of what comes behind the execution's end. */
function progressOf(task: TaskRecord, event: RunEvent, end: RunEvent | undefined): readonly NewTaskEvent[] {
  if (end !== undefined && event.seq > end.seq) return [];
  const key = `run:${event.seq}`;
  const words = wordsOf(event);
  return words === undefined ? [] : [status(task, 'working', { key, text: words.slice(0, 500) })];
}

function wordsOf(event: RunEvent): string | undefined {
  if (event.kind === 'story-passed') return `${event.storyId} has passed: ${event.body.commit.slice(0, 10)}`;
  return event.kind === 'story-failed' ? `${event.storyId} has failed: ${event.body.message}` : undefined;
}
