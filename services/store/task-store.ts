import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import { taskEventBodies, taskStates } from '../../domain/a2a/task.ts';
import type { NewTaskEvent, TaskEvent, TaskEventKind } from '../../domain/a2a/task.ts';
import { runOfWork } from '../../domain/contracts/task-store.ts';
import type { TaskLog, TaskQuery, TaskStore, TaskWork } from '../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { runEventBodies } from '../../domain/run/events.ts';
import { messageKey } from '../../domain/run/ids.ts';
import { jsonText } from './json.ts';
import type { Database, TaskEventTable, TaskTable } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const State = z.enum(taskStates);

export function createTaskStore(database: Kysely<Database>): Omit<TaskStore, 'watchTasks'> {
  return {
    createTask: async (plan) => {
      const { taskId, contextId, principal, work, message } = plan;
      const said = { message };
      // One statement: each further one would be a round trip before the engine hears of the task.
      const { rows } = await sql<{ at: Date }>`
        WITH noted AS (
          INSERT INTO a2a_message (principal, message_id, task_id) VALUES (${principal}, ${message.messageId}, ${taskId})
          ON CONFLICT ON CONSTRAINT a2a_message_pkey DO NOTHING RETURNING task_id
        ), task AS (
          INSERT INTO a2a_task (task_id, context_id, principal, run_id, work, head_seq)
          SELECT task_id, ${contextId}, ${principal}, ${runOfWork(work)}, ${jsonText(work)}::jsonb, 2 FROM noted
          RETURNING task_id, status_at
        )
        INSERT INTO a2a_task_event (task_id, seq, key, kind, body, at)
        SELECT task_id, seq, key, kind, body, status_at
        FROM task, (VALUES (1, ${`message:${message.messageId}`}, 'message', ${jsonText(said)}::jsonb),
                           (2, 'submitted', 'status', '{"state":"submitted"}'::jsonb)) AS event (seq, key, kind, body)
        RETURNING at`.execute(database);
      const at = rows[0]?.at;
      if (at === undefined) return undefined;
      const events = [
        { seq: 1, at, kind: 'message', body: said },
        { seq: 2, at, kind: 'status', body: { state: 'submitted' } },
      ] as const;
      return {
        taskId,
        contextId,
        principal,
        work,
        state: 'submitted',
        statusAt: at,
        createdAt: at,
        headSeq: 2,
        events,
      };
    },
    noteTaskMessage: async ({ taskId, principal }, said) =>
      await inTransaction(database, async (transaction) => {
        const { messageId } = said.message;
        const known = await noteMessage(transaction, { principal, messageId, taskId });
        if (known !== undefined) return { taskId: known, isNew: false };
        await appendEvents(transaction, taskId, [{ key: `message:${messageId}`, kind: 'message', body: said }]);
        return { taskId, isNew: true };
      }),
    findTaskOf: async ({ principal, messageId }) => await taskOfMessage(database, principal, messageId),
    getTask: async (taskId) => {
      const row = await selectLogs(database).where('task_id', '=', taskId).executeTakeFirst();
      return row === undefined ? undefined : taskLog(row);
    },
    getTasks: async (taskIds) => {
      const ofThem = sql<boolean>`task_id = ANY(${taskIds}::text[])`;
      const rows = await selectLogs(database).where(ofThem).execute();
      return rows.map(taskLog);
    },
    listTasks: async (query, { limit, after }) => {
      const counted = selectTasks(database, query).select(sql<number>`count(*)`.as('total'));
      // With each row, which is counted once, so that a page is one round trip.
      const rows = await selectTasks(database, query)
        .selectAll()
        .select([eventsOfTask, counted.as('total')])
        .$if(after !== undefined, (page) =>
          page.where(sql<boolean>`(status_at, task_id) < (${after?.statusAt}, ${after?.taskId})`),
        )
        .orderBy('status_at', 'desc')
        .orderBy('task_id', 'desc')
        .limit(limit)
        .execute();
      const { total } = rows[0] ?? (after === undefined ? { total: 0 } : await counted.executeTakeFirstOrThrow());
      return { tasks: rows.map(taskLog), total: total ?? 0 };
    },
    openTasksOf: async (runId) => {
      const rows = await database
        .selectFrom('a2a_task')
        .select('task_id')
        .where('run_id', '=', runId)
        .where('state', 'in', ['submitted', 'working', 'input-required', 'auth-required'])
        .execute();
      return rows.map((row) => row.task_id);
    },
    appendTaskEvents: async (taskId, events) => await appendEvents(database, taskId, events),
    readTaskEvents: async (taskId, { afterSeq }) => {
      const rows = await database
        .selectFrom('a2a_task_event')
        .select(['seq', 'kind', 'body', 'at'])
        .where('task_id', '=', taskId)
        .where('seq', '>', afterSeq)
        .orderBy('seq')
        .execute();
      return rows.map(taskEvent);
    },
    turnProgress: async (sessionId, messageId) => {
      const key = messageKey(sessionId, messageId);
      const rows = await database
        .selectFrom('run_event')
        .select(['kind', 'body'])
        .where('run_id', '=', sessionId)
        .where('key', 'in', [`${key}:started`, `${key}:ended`])
        .execute();
      const ended = rows.find(({ kind }) => kind === 'turn-ended');
      if (ended !== undefined) return { kind: 'ended', end: runEventBodies['turn-ended'].parse(ended.body) };
      return { kind: rows.length === 0 ? 'waiting' : 'begun' };
    },
  };
}

function selectLogs(database: Queries) {
  return database.selectFrom('a2a_task').selectAll().select(eventsOfTask);
}

function selectTasks(database: Queries, { principal, contextId, state, since }: TaskQuery) {
  return database
    .selectFrom('a2a_task')
    .where('principal', '=', principal)
    .$if(contextId !== undefined, (query) => query.where('context_id', '=', contextId ?? ''))
    .$if(state !== undefined, (query) => query.where('state', '=', state ?? ''))
    .$if(since !== undefined, (query) => query.where('status_at', '>=', since ?? new Date(0)));
}

/** @returns the message's task, where it has come before */
async function noteMessage(
  database: Queries,
  { principal, messageId, taskId }: { readonly principal: string; readonly messageId: string; readonly taskId: string },
): Promise<string | undefined> {
  const { numInsertedOrUpdatedRows } = await database
    .insertInto('a2a_message')
    .values({ principal, message_id: messageId, task_id: taskId })
    .onConflict((conflict) => conflict.constraint('a2a_message_pkey').doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n ? undefined : await taskOfMessage(database, principal, messageId);
}

async function taskOfMessage(database: Queries, principal: string, messageId: string): Promise<string | undefined> {
  const row = await database
    .selectFrom('a2a_message')
    .select('task_id')
    .where('principal', '=', principal)
    .where('message_id', '=', messageId)
    .executeTakeFirst();
  return row?.task_id;
}

async function appendEvents(database: Queries, taskId: string, events: readonly NewTaskEvent[]): Promise<void> {
  if (events.length === 0) return;
  await sql`SELECT append_a2a_task_events(${taskId}, ${jsonText(events)}::jsonb)`.execute(database);
}

function taskLog({ events, ...row }: Selectable<TaskTable> & { readonly events: readonly EventRow[] }): TaskLog {
  return {
    taskId: row.task_id,
    contextId: row.context_id,
    principal: row.principal,
    // Written by `createTask` only.
    work: row.work as TaskWork,
    state: State.parse(row.state),
    statusAt: row.status_at,
    createdAt: row.created_at,
    headSeq: row.head_seq,
    events: events.map(taskEvent),
  };
}

/** `at` is a text where the row comes within JSON. */
type EventRow = Pick<Selectable<TaskEventTable>, 'seq' | 'kind' | 'body'> & { readonly at: Date | string };

/** All of a task's, with its row: one round trip. */
const eventsOfTask = sql<EventRow[]>`(
  SELECT coalesce(json_agg(json_build_object('seq', seq, 'kind', kind, 'body', body, 'at', at) ORDER BY seq), '[]')
  FROM a2a_task_event AS event WHERE event.task_id = a2a_task.task_id)`.as('events');

function taskEvent(row: EventRow): TaskEvent {
  if (!Object.hasOwn(taskEventBodies, row.kind))
    throw new CodetetherError('internal', `unknown event of a task: ${row.kind}`);
  const kind = row.kind as TaskEventKind;
  // Kind and body belong together: the body was parsed with its kind's own schema.
  return { seq: row.seq, at: new Date(row.at), kind, body: taskEventBodies[kind].parse(row.body) } as TaskEvent;
}
