import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { plainText } from '../../activities/tools/output-text.ts';
import { AnswerApprovalRequest, ApprovalListView, ApprovalView } from '../../domain/contracts/api.ts';
import type { ApprovalRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isAnswerTo, possibleAnswers } from '../../domain/run/approval.ts';
import type { ApiDeps } from './deps.ts';
import { pageOfAll, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';
import { approvalView } from './views.ts';

const ListQuery = z.strictObject(pageQuery);
const ApprovalParams = z.object({ id: z.string().min(1).max(100) });

export function approvalRoutes({ store, engine, authenticate }: ApiDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/approvals',
      {
        config: { permission: 'approvals:read', summary: 'What people are asked now, oldest first' },
        schema: { querystring: ListQuery, response: { 200: ApprovalListView } },
      },
      async (request) => {
        const { items, nextCursor } = pageOfAll(await store.listPendingApprovals(), {
          page: request.query,
          of: [principalOf(request).tenant, 'approvals'],
          key: ({ createdAt, approvalId }) => `${createdAt.toISOString()} ${approvalId}`,
        });
        return { approvals: items.map(approvalView), nextCursor };
      },
    );

    app.post(
      '/v1/approvals/:id',
      {
        config: { permission: 'approvals:answer', summary: 'Answer what is asked' },
        schema: { params: ApprovalParams, body: AnswerApprovalRequest, response: { 200: ApprovalView } },
      },
      async (request) => {
        const approval = await pendingApproval(request.params.id);
        const choice = plainText(request.body.choice).trim();
        const note = plainText(request.body.note);
        if (!isAnswerTo(approval, choice)) {
          throw new CodetetherError('request-invalid', undefined, {
            problems: [`choice: ${approval.approvalId} can be answered by ${possibleAnswers(approval)}`],
          });
        }
        const { id: answeredBy } = await authenticate(request);
        for (const { approvalId, workflowId } of [approval, ...(await alike(approval))]) {
          await engine.answer(workflowId, { approvalId, choice, note, answeredBy });
        }
        return approvalView((await store.getApproval(approval.approvalId)) ?? approval);
      },
    );
  };

  async function pendingApproval(id: string): Promise<ApprovalRecord> {
    const approval = await store.getApproval(id);
    if (approval === undefined) {
      throw new CodetetherError('not-found', `there is no approval ${id}`, {
        next: 'codetether approvals lists them.',
      });
    }
    if (approval.state === 'pending') return approval;
    const how = approval.state === 'expired' ? 'has expired' : `was answered by ${approval.answeredBy ?? 'somebody'}`;
    throw new CodetetherError('approval-settled', `${id} ${how}: ${approval.answer ?? ''}`);
  }

  /** Every story of a run meets the same used-up account. */
  async function alike({ approvalId, runId, kind }: ApprovalRecord): Promise<readonly ApprovalRecord[]> {
    if (kind !== 'quota') return [];
    const pending = await store.listPendingApprovals({ runId });
    return pending.filter((other) => other.kind === 'quota' && other.approvalId !== approvalId);
  }
}
