import { isTerminal, stateOfAsking, taskSnapshot, textOf } from '../../domain/a2a/task.ts';
import type { NewTaskEvent, TaskEvent } from '../../domain/a2a/task.ts';
import type { ApprovalRecord, Store } from '../../domain/contracts/store.ts';
import type { TaskRecord } from '../../domain/contracts/task-store.ts';
import { possibleAnswers } from '../../domain/run/approval.ts';
import type { ApprovalAnswer } from '../../domain/run/approval.ts';
import { unless } from './unless.ts';
import { status } from './task-status.ts';
import type { Append } from './task-status.ts';

export interface AskSenderDeps {
  readonly store: Pick<Store, 'listPendingApprovals' | 'readTaskEvents'>;
  readonly engine: {
    /** @throws `approval-settled` */
    answer(workflowId: string, answer: ApprovalAnswer): Promise<void>;
  };
}

/**
 * Makes what a run (or a session) waits for the task's status, and hands over what was answered to it: the oldest question first, each
 * answer to its own question.
 */
export function createAskSender({ store, engine }: AskSenderDeps) {
  return async (task: TaskRecord, runId: string, append: Append): Promise<void> => {
    for (;;) {
      const [[pending], events] = await Promise.all([
        store.listPendingApprovals({ runId }),
        store.readTaskEvents(task.taskId, { afterSeq: 0 }),
      ]);
      const { status: now } = taskSnapshot(events);
      if (isTerminal(now.state)) return;
      if (pending === undefined) {
        if (now.approvalId !== undefined) await append(status(task, 'working', { key: `settled:${now.approvalId}` }));
        return;
      }
      const { approvalId, workflowId } = pending;
      if (now.approvalId !== approvalId) return await append(question(task, pending));
      const choice = answerTo(pending, events);
      if (choice === undefined) return;
      // Somebody else may have been faster, or nobody waits for it any more.
      await unless('approval-settled', async () => {
        await engine.answer(workflowId, { approvalId, choice, note: '', answeredBy: task.principal });
      });
    }
  };
}

function answerTo({ approvalId }: ApprovalRecord, events: readonly TaskEvent[]): string | undefined {
  const said = events.find((event) => event.kind === 'message' && event.body.approvalId === approvalId);
  return said?.kind === 'message' ? textOf(said.body.message).trim() : undefined;
}

function question(task: TaskRecord, pending: ApprovalRecord): NewTaskEvent {
  const { approvalId, kind, choices, defaultChoice, expiresAt } = pending;
  return status(task, stateOfAsking(kind), {
    key: `asked:${approvalId}`,
    text: `${pending.question}\n\nAnswer with ${possibleAnswers(pending)}.`,
    parts: [{ data: { approvalId, kind, choices, defaultChoice, expiresAt }, mediaType: 'application/json' }],
    approvalId,
  });
}
