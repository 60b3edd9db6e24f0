import {
  CancellationScope,
  condition,
  defineUpdate,
  isCancellation,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { answerUpdate, askedBy, isAnswerTo, longestQuestion, possibleAnswers } from '../domain/run/approval.ts';
import type { Approval, ApprovalAnswer, ApprovalQuestion, ApprovalSettlement, OnAsk } from '../domain/run/approval.ts';
import type { Control } from './control.ts';
import { projections } from './policies.ts';

export interface Approver {
  /**
   * Asks a person (or the run's policy) and waits for the answer. The last choice of a decision, and the default of an agent's
   * question, when nobody answers in time, or when the run is to stop, or when the question is moot. A question is asked within a
   * step, so none is open when a workflow continues as new.
   */
  ask(question: ApprovalQuestion, isMoot?: () => boolean): Promise<ApprovalSettlement>;
}

export interface ApproverOptions {
  readonly runId: string;
  /** As it is when something has to be asked. */
  readonly policy: () => { readonly onAsk: OnAsk; readonly timeoutMs: number };
  readonly control: Readonly<Pick<Control, 'stopping'>>;
}

/** Eight letters and digits: easy to type, and one in 2.8 million million. */
function newApprovalId(): string {
  return `q-${Number.parseInt(uuid4().replaceAll('-', '').slice(0, 12), 16).toString(36).slice(-8)}`;
}

/** Registers the update that takes answers; call it before the first await. */
export function listenToAnswers({ runId, policy, control }: ApproverOptions): Approver {
  const pending = new Map<string, Approval>();
  const answers = new Map<string, ApprovalAnswer>();
  const settled = new Set<string>();

  const settle = async (settlement: ApprovalSettlement): Promise<ApprovalSettlement> => {
    const { approvalId, storyId, state, answer } = settlement;
    const summary = `${askedBy(storyId)} ${approvalId}: ${state} ${answer}`;
    await projections.settleApproval.executeWithOptions({ summary }, [settlement]);
    settled.add(approvalId);
    return settlement;
  };

  setHandler(
    defineUpdate<string, [ApprovalAnswer]>(answerUpdate),
    async (answer) => {
      answers.set(answer.approvalId, answer);
      await condition(() => settled.has(answer.approvalId));
      return answer.choice;
    },
    {
      validator: ({ approvalId, choice }) => {
        const approval = pending.get(approvalId);
        if (approval === undefined || answers.has(approvalId)) throw new Error(`${approvalId} is not waited for`);
        if (!isAnswerTo(approval, choice))
          throw new Error(`${approvalId} can be answered by ${possibleAnswers(approval)}, not by ${choice}`);
      },
    },
  );

  return {
    ask: async (asked, isMoot = () => false) => {
      const { kind, storyId, question, choices } = asked;
      const { onAsk, timeoutMs } = policy();
      const approvalId = newApprovalId();
      const silence = asked.kind === 'question' ? asked.defaultChoice : asked.choices[1];
      const approval: Approval = {
        approvalId,
        runId,
        workflowId: workflowInfo().workflowId,
        storyId,
        kind,
        question: question.slice(0, longestQuestion(kind)),
        choices,
        defaultChoice: silence,
        expiresAt: new Date(Date.now() + timeoutMs).toISOString(),
      };
      const settlement = (
        state: 'answered' | 'expired',
        answer: string,
        answeredBy: string,
        note = '',
      ): ApprovalSettlement => ({ approvalId, runId, storyId, state, answer, answeredBy, note });

      const isWaitedFor = onAsk === 'wait' && !control.stopping;
      if (isWaitedFor) pending.set(approvalId, approval);
      await projections.requestApproval.executeWithOptions(
        { summary: `${askedBy(storyId)} ${approvalId}: ${question}`.slice(0, 200) },
        [approval],
      );
      if (!isWaitedFor) {
        const isApproved = asked.kind !== 'question' && asked.isSafe && onAsk === 'approve-safe';
        return await settle(settlement('answered', isApproved ? asked.choices[0] : silence, 'on-ask'));
      }
      try {
        await condition(() => answers.has(approvalId) || control.stopping || isMoot(), timeoutMs);
      } catch (error) {
        if (isCancellation(error))
          await CancellationScope.nonCancellable(() => settle(settlement('expired', silence, 'cancelled')));
        throw error;
      } finally {
        pending.delete(approvalId);
      }
      const answer = answers.get(approvalId);
      if (answer !== undefined)
        return await settle(settlement('answered', answer.choice, answer.answeredBy, answer.note));
      return await settle(settlement('expired', silence, control.stopping ? 'stop' : isMoot() ? 'moot' : 'timeout'));
    },
  };
}
