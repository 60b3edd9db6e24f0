import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { ApprovalRecord, ApprovalStore } from '../../domain/contracts/store.ts';
import { approvalKinds, approvalStates } from '../../domain/run/approval.ts';
import { cleanText, jsonText } from './json.ts';
import { appendRunEvents } from './run-events.ts';
import { lockRun } from './run-rows.ts';
import type { ApprovalTable, Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const Kind = z.enum(approvalKinds);
const State = z.enum(approvalStates);
const Choices = z.array(z.string());

export function createApprovalStore(database: Kysely<Database>): ApprovalStore {
  return {
    requestApproval: async (approval) =>
      await inTransaction(database, async (transaction) => {
        const { approvalId: id, runId, storyId, kind, defaultChoice, expiresAt } = approval;
        const choices = [...approval.choices];
        const question = cleanText(approval.question);
        await lockRun(transaction, runId);
        await transaction
          .insertInto('approval')
          .values({
            approval_id: id,
            run_id: runId,
            story_id: storyId,
            workflow_id: approval.workflowId,
            kind,
            question,
            choices: jsonText(choices),
            default_choice: defaultChoice,
            expires_at: new Date(expiresAt),
          })
          .onConflict((conflict) => conflict.constraint('approval_pkey').doNothing())
          .execute();
        const body = { id, kind, question, choices, defaultChoice, expiresAt };
        await appendRunEvents(transaction, runId, [
          { key: `approval:${id}:requested`, kind: 'approval-requested', ...storyOf(storyId), body },
        ]);
      }),
    settleApproval: async ({ approvalId: id, runId, storyId, state, answer: choice, answeredBy: by, note }) =>
      await inTransaction(database, async (transaction) => {
        await lockRun(transaction, runId);
        const settled = await transaction
          .updateTable('approval')
          .set({ state, answer: choice, answered_by: by, note: cleanText(note), answered_at: sql<Date>`now()` })
          .where('approval_id', '=', id)
          .where('state', '=', 'pending')
          .returning('approval_id')
          .executeTakeFirst();
        if (settled === undefined) return;
        await appendRunEvents(transaction, runId, [
          {
            key: `approval:${id}:answered`,
            kind: 'approval-answered',
            ...storyOf(storyId),
            body: { id, state, choice, by, note },
          },
        ]);
      }),
    getApproval: async (approvalId) => {
      const row = await database
        .selectFrom('approval')
        .selectAll()
        .where('approval_id', '=', approvalId)
        .executeTakeFirst();
      return row === undefined ? undefined : approvalRecord(row);
    },
    listPendingApprovals: async ({ runId } = {}) => {
      const rows = await database
        .selectFrom('approval')
        .selectAll()
        .where('state', '=', 'pending')
        .$if(runId !== undefined, (query) => query.where('run_id', '=', runId ?? ''))
        .orderBy('created_at')
        .orderBy('approval_id')
        .execute();
      return rows.map(approvalRecord);
    },
  };
}

/** The whole run may wait, not one story. */
function storyOf(storyId: string): { readonly storyId?: string } {
  return storyId === '' ? {} : { storyId };
}

/** A run that is over waits for nobody. */
export async function expireApprovals(database: Queries, runId: string): Promise<void> {
  await database
    .updateTable('approval')
    .set({
      state: 'expired',
      answer: sql<string>`default_choice`,
      answered_by: 'run-ended',
      answered_at: sql<Date>`now()`,
    })
    .where('run_id', '=', runId)
    .where('state', '=', 'pending')
    .execute();
}

function approvalRecord(row: Selectable<ApprovalTable>): ApprovalRecord {
  return {
    approvalId: row.approval_id,
    runId: row.run_id,
    storyId: row.story_id,
    workflowId: row.workflow_id,
    kind: Kind.parse(row.kind),
    question: row.question,
    choices: Choices.parse(row.choices),
    defaultChoice: row.default_choice,
    expiresAt: row.expires_at.toISOString(),
    state: State.parse(row.state),
    answer: row.answer,
    answeredBy: row.answered_by,
    note: row.note,
    createdAt: row.created_at,
    answeredAt: row.answered_at,
  };
}
