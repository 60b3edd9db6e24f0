import type { Kysely, Selectable } from 'kysely';
import type { WorkspaceRecord, WorkspaceStore } from '../../domain/contracts/store.ts';
import { settleEffect } from './effect-store.ts';
import { appendRunEvents } from './run-events.ts';
import { lockRun } from './run-rows.ts';
import type { Database, WorkspaceTable } from './schema.ts';
import { appendSessionEvents } from './session-store.ts';
import { inTransaction } from './transaction.ts';

export function createWorkspaceStore(database: Kysely<Database>): WorkspaceStore {
  return {
    getWorkspace: async (workspaceId) => {
      const row = await database
        .selectFrom('workspace')
        .selectAll()
        .where('workspace_id', '=', workspaceId)
        .executeTakeFirst();
      return row === undefined ? undefined : workspaceRecord(row);
    },
    putWorkspace: async (workspace) => {
      const { workspace_id, ...values } = workspaceRow(workspace);
      await database
        .insertInto('workspace')
        .values({ workspace_id, ...values })
        .onConflict((conflict) => conflict.constraint('workspace_pkey').doUpdateSet(values))
        .execute();
    },
    deleteWorkspace: async (workspaceId) => {
      await database.deleteFrom('workspace').where('workspace_id', '=', workspaceId).execute();
    },
    listWorkspaces: async ({ hostId, runId }) => {
      const rows = await database
        .selectFrom('workspace')
        .selectAll()
        .where('host_id', '=', hostId)
        .where('run_id', '=', runId)
        .orderBy('workspace_id')
        .execute();
      return rows.map(workspaceRecord);
    },
    recordToolResult: async (input) =>
      await inTransaction(database, async (transaction) => {
        await lockRun(transaction, input.runId);
        const added = await appendSessionEvents(transaction, input.sessionId, [input.sessionEvent]);
        // A result that is there already must not move the checkpoint back.
        if (added > 0 && input.checkpoint !== null) {
          await transaction
            .updateTable('workspace')
            .set({ checkpoint: input.checkpoint })
            .where('workspace_id', '=', input.workspaceId)
            .execute();
        }
        await appendRunEvents(transaction, input.runId, input.runEvents);
        await settleEffect(transaction, input.sessionEvent.key, input.effect);
      }),
  };
}

function workspaceRow(workspace: WorkspaceRecord): Selectable<WorkspaceTable> {
  return {
    workspace_id: workspace.workspaceId,
    run_id: workspace.runId,
    story_id: workspace.storyId,
    host_id: workspace.hostId,
    path: workspace.path,
    branch: workspace.branch,
    base: workspace.base,
    checkpoint: workspace.checkpoint,
    attempt: workspace.attempt,
    lease: workspace.lease,
    remote: workspace.remote,
  };
}

function workspaceRecord(row: Selectable<WorkspaceTable>): WorkspaceRecord {
  return {
    workspaceId: row.workspace_id,
    runId: row.run_id,
    storyId: row.story_id,
    hostId: row.host_id,
    path: row.path,
    branch: row.branch,
    base: row.base,
    checkpoint: row.checkpoint,
    attempt: row.attempt,
    lease: row.lease,
    remote: row.remote,
  };
}
