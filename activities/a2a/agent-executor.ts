import type { ApprovalRecord, Store } from '../../domain/contracts/store.ts';
import type { WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { SessionMessage } from '../../domain/contracts/session.ts';
import type { TaskRecord, TaskWorkOf } from '../../domain/contracts/task-store.ts';
import { isTerminal, taskSnapshot, textOf } from '../../domain/a2a/task.ts';
import type { NewTaskEvent, TaskEvent, TaskMessage, TaskPart, TaskState } from '../../domain/a2a/task.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { possibleAnswers } from '../../domain/run/approval.ts';
import type { ApprovalAnswer } from '../../domain/run/approval.ts';
import type { RunEventBody, RunOutcome } from '../../domain/run/events.ts';

/** What a task asks of the engine. */
export interface TaskEngine {
  /** @throws `session-busy` when too many messages wait */
  send(session: { readonly sessionId: string; readonly hostId: string }, message: SessionMessage): Promise<number>;
  /** @throws `session-idle` when the message is neither worked on nor waits */
  interrupt(sessionId: string, messageId: string): Promise<void>;
  /** @throws `approval-settled` */
  answer(workflowId: string, answer: ApprovalAnswer): Promise<void>;
  describe(workflowId: string): Promise<{ readonly kind: 'missing' | 'running' | 'closed' }>;
}

export interface AgentExecutorDeps {
  readonly store: Pick<
    Store,
    | 'openSession'
    | 'abandonTurn'
    | 'listPendingApprovals'
    | 'turnProgress'
    | 'appendTaskEvents'
    | 'readTaskEvents'
    | 'getBlob'
  >;
  readonly engine: TaskEngine;
}

type AgentTask = TaskRecord & { readonly work: TaskWorkOf<'agent'> };

/** Nobody may be able to tell that something has changed. */
const slowMs = 5 * 60_000;
const busyMs = 5_000;
const mostText = 100_000;

/** A task's work is a turn of the session that belongs to its context. */
export function createAgentExecutor({ store, engine }: AgentExecutorDeps) {
  return async (task: AgentTask, { isCanceling }: { readonly isCanceling: boolean }): Promise<WorkOnTaskResult> => {
    const { opening, message } = task.work;
    const { sessionId } = opening;
    const append = async (...events: readonly NewTaskEvent[]) => await store.appendTaskEvents(task.taskId, events);
    const progress = async () => await store.turnProgress(sessionId, message.messageId);

    let turn = await progress();
    if (turn.kind === 'begun' && (await engine.describe(sessionId)).kind !== 'running') {
      await store.abandonTurn(sessionId, 'its workflow was ended in the engine');
      turn = await progress();
    }
    if (turn.kind !== 'ended' && isCanceling) {
      const isThere = await interrupt(sessionId, message.messageId);
      turn = await progress();
      // It has not begun, and will not.
      if (!isThere && turn.kind === 'waiting') {
        await append(status(task, 'canceled', { key: 'end', text: 'canceled before it began' }));
        return { isOver: true };
      }
    }
    if (turn.kind === 'ended') {
      await append(...(await endOf(task, turn.end)));
      return { isOver: true };
    }
    if (turn.kind === 'waiting' && !isCanceling) {
      await append(status(task, 'working', { key: 'working' }));
      const isTaken = await deliver(task);
      if (!isTaken) return { isOver: false, waitMs: busyMs };
    }
    if (turn.kind === 'begun') await ask(task, append);
    return { isOver: false, waitMs: isCanceling ? busyMs : slowMs };
  };

  async function interrupt(sessionId: string, messageId: string): Promise<boolean> {
    try {
      await engine.interrupt(sessionId, messageId);
      return true;
    } catch (error) {
      if (error instanceof CodetetherError && error.code === 'session-idle') return false;
      throw error;
    }
  }

  /** @returns false when so many messages wait in the session that it takes no more */
  async function deliver({ work: { opening, message } }: AgentTask): Promise<boolean> {
    await store.openSession(opening);
    try {
      await engine.send(opening, message);
      return true;
    } catch (error) {
      if (error instanceof CodetetherError && error.code === 'session-busy') return false;
      throw error;
    }
  }

  /** Makes what the turn waits for the task's status, and hands over what was answered to it. */
  async function ask(task: AgentTask, append: (...events: readonly NewTaskEvent[]) => Promise<void>): Promise<void> {
    for (;;) {
      const [[pending], events] = await Promise.all([
        store.listPendingApprovals({ runId: task.work.opening.sessionId }),
        store.readTaskEvents(task.taskId, { afterSeq: 0 }),
      ]);
      const { status: now } = taskSnapshot(events);
      if (isTerminal(now.state)) return;
      if (pending === undefined) {
        if (now.approvalId !== undefined) await append(status(task, 'working', { key: `settled:${now.approvalId}` }));
        return;
      }
      if (now.approvalId !== pending.approvalId) {
        await append(question(task, pending));
        return;
      }
      const answer = answerTo(pending, events);
      if (answer === undefined) return;
      await hand(pending, { approvalId: pending.approvalId, choice: answer, note: '', answeredBy: task.principal });
    }
  }

  /** The answer, the changed files and their patch, then the state that the turn's outcome is. */
  async function endOf(task: TaskRecord, end: RunEventBody<'turn-ended'>): Promise<readonly NewTaskEvent[]> {
    const { outcome, message, text, changes, diff } = end;
    const patch = diff === undefined ? undefined : await store.getBlob(diff);
    return [
      ...artifact(text === '' ? undefined : { text: text.slice(0, mostText).toWellFormed() }, {
        id: 'answer',
        mediaType: 'text/markdown',
        description: '',
      }),
      ...artifact(changes === undefined ? undefined : { data: changes }, {
        id: 'changes',
        mediaType: 'application/json',
        description: 'Files that were changed, relative to the workspace: the first ones of the total.',
      }),
      ...artifact(patch === undefined ? undefined : { text: patch }, {
        id: 'diff',
        mediaType: 'text/x-diff',
        description: 'What was changed, as a patch; cut at 100,000 characters.',
      }),
      status(task, stateOf(outcome), { key: 'end', text: message }),
    ];
  }

  async function hand({ workflowId }: ApprovalRecord, answer: ApprovalAnswer): Promise<void> {
    try {
      await engine.answer(workflowId, answer);
    } catch (error) {
      // Somebody else was faster, or nobody waits for it any more.
      if (!(error instanceof CodetetherError) || error.code !== 'approval-settled') throw error;
    }
  }
}

function answerTo({ approvalId }: ApprovalRecord, events: readonly TaskEvent[]): string | undefined {
  const said = events.find((event) => event.kind === 'message' && event.body.approvalId === approvalId);
  return said?.kind === 'message' ? textOf(said.body.message).trim() : undefined;
}

/** The agent says it, in the words that are there. */
function status(
  task: TaskRecord,
  state: TaskState,
  { key, text = '', approvalId }: { readonly key: string; readonly text?: string; readonly approvalId?: string },
): NewTaskEvent {
  const said = text === '' ? {} : { message: agentSays(task, key, text) };
  return { key, kind: 'status', body: { state, ...said, ...(approvalId === undefined ? {} : { approvalId }) } };
}

export function agentSays({ taskId, contextId }: TaskRecord, key: string, text: string): TaskMessage {
  return { messageId: `${taskId}:${key}`, taskId, contextId, role: 'ROLE_AGENT', parts: [{ text }] };
}

function question(task: TaskRecord, pending: ApprovalRecord): NewTaskEvent {
  const { approvalId, kind, choices, defaultChoice, expiresAt } = pending;
  const event = status(task, 'input-required', {
    key: `asked:${approvalId}`,
    text: `${pending.question}\n\nAnswer with ${possibleAnswers(pending)}.`,
    approvalId,
  });
  const { body } = event;
  if (event.kind !== 'status' || !('message' in body) || body.message === undefined) return event;
  const data = { approvalId, kind, choices, defaultChoice, expiresAt };
  const message = { ...body.message, parts: [...body.message.parts, { data, mediaType: 'application/json' }] };
  return { ...event, body: { ...event.body, message } };
}

/** Nothing where there is nothing to show. */
function artifact(
  content: Pick<TaskPart, 'text' | 'data'> | undefined,
  { id, mediaType, description }: { readonly id: string; readonly mediaType: string; readonly description: string },
): readonly NewTaskEvent[] {
  if (content === undefined) return [];
  const shown = {
    artifactId: id,
    name: id,
    ...(description === '' ? {} : { description }),
    parts: [{ ...content, mediaType }],
  };
  return [{ key: id, kind: 'artifact', body: { artifact: shown, append: false, lastChunk: true } }];
}

function stateOf(outcome: RunOutcome): TaskState {
  if (outcome === 'completed') return 'completed';
  return outcome === 'cancelled' || outcome === 'stopped' ? 'canceled' : 'failed';
}
