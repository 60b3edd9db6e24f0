import type { Store } from '../../domain/contracts/store.ts';
import type { WorkOnTaskResult } from '../../domain/contracts/a2a.ts';
import type { SessionMessage } from '../../domain/contracts/session.ts';
import type { TaskRecord, TaskWorkOf } from '../../domain/contracts/task-store.ts';
import type { NewTaskEvent } from '../../domain/a2a/task.ts';
import type { RunEventBody } from '../../domain/run/events.ts';
import { createAskSender } from './ask-sender.ts';
import type { AskSenderDeps } from './ask-sender.ts';
import { busyMs, results, slowMs, stateOf, status } from './task-status.ts';
import type { Append } from './task-status.ts';
import { unless } from './unless.ts';

export interface AgentExecutorDeps extends AskSenderDeps {
  readonly store: AskSenderDeps['store'] & Pick<Store, 'openSession' | 'abandonTurn' | 'turnProgress' | 'getBlob'>;
  readonly engine: AskSenderDeps['engine'] & {
    /** @throws `session-busy` when too many messages wait */
    send(session: { readonly sessionId: string; readonly hostId: string }, message: SessionMessage): Promise<number>;
    /** @throws `session-idle` when the message is neither worked on nor waits */
    interrupt(sessionId: string, messageId: string): Promise<void>;
    describe(workflowId: string): Promise<{ readonly kind: 'missing' | 'running' | 'closed' }>;
  };
}

/** A task's work is a turn of the session that belongs to its context. */
export function createAgentExecutor(deps: AgentExecutorDeps) {
  const { store, engine } = deps;
  const ask = createAskSender(deps);

  return async (
    task: TaskRecord,
    work: TaskWorkOf<'agent'>,
    { isCanceling, append }: { readonly isCanceling: boolean; readonly append: Append },
  ): Promise<WorkOnTaskResult> => {
    const { opening, message } = work;
    const { sessionId } = opening;
    const progress = async () => await store.turnProgress(sessionId, message.messageId);

    let turn = await progress();
    if (turn.kind === 'begun' && (await engine.describe(sessionId)).kind !== 'running') {
      await store.abandonTurn(sessionId, 'its workflow was ended in the engine');
      turn = await progress();
    }
    if (turn.kind !== 'ended' && isCanceling) {
      const isThere = await unless('session-idle', () => engine.interrupt(sessionId, message.messageId));
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
      await store.openSession(opening);
      // So many messages may wait in the session that it takes no more.
      const isTaken = await unless('session-busy', () => engine.send(opening, message));
      if (!isTaken) return { isOver: false, waitMs: busyMs };
    }
    if (turn.kind === 'begun') await ask(task, sessionId, append);
    return { isOver: false, waitMs: isCanceling ? busyMs : slowMs };
  };

  /** The answer, the changed files and their patch, then the state that the turn's outcome is. */
  async function endOf(task: TaskRecord, end: RunEventBody<'turn-ended'>): Promise<readonly NewTaskEvent[]> {
    const { outcome, message, text, changes, diff } = end;
    const description = 'Files that were changed, relative to the workspace: the first ones of the total.';
    return [
      ...results({
        answer: text,
        changes: changes === undefined ? undefined : { data: changes, description },
        patch: diff === undefined ? undefined : await store.getBlob(diff),
      }),
      status(task, stateOf(outcome), { key: 'end', text: message }),
    ];
  }
}
