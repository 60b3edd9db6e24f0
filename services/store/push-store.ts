import { sql } from 'kysely';
import type { Kysely, Selectable } from 'kysely';
import { z } from 'zod';
import { deadLettersInARow, wireVersions } from '../../domain/a2a/push.ts';
import type { DeadLetter, Push, PushConfig, PushStore } from '../../domain/contracts/push-store.ts';
import { cleanText } from './json.ts';
import type { Database, PushConfigTable, PushFailureTable } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const Version = z.enum(wireVersions);
/** Nobody is told of what was said to the task. */
const told = ['status', 'artifact'];

export function createPushStore(database: Kysely<Database>): PushStore {
  return {
    setPushConfig: async (config, { most, messageId }) =>
      await inTransaction(database, async (transaction) => {
        const { taskId, configId, url, sealed } = config;
        // Nothing happens to the task meanwhile, and nobody counts its configs.
        const { head_seq: head } = await transaction
          .selectFrom('a2a_task')
          .select('head_seq')
          .where('task_id', '=', taskId)
          .forNoKeyUpdate()
          .executeTakeFirstOrThrow();
        const known = await transaction
          .selectFrom('push_config')
          .select('config_id')
          .where('task_id', '=', taskId)
          .execute();
        if (known.filter((other) => other.config_id !== configId).length >= most) return false;
        const set = { url, sealed: sealed === null ? null : Buffer.from(sealed), wire_version: config.wireVersion };
        await transaction
          .insertInto('push_config')
          .values({
            ...set,
            task_id: taskId,
            config_id: configId,
            after_seq: messageId === undefined ? head : await seqOfMessage(transaction, taskId, messageId),
            disabled_at: null,
          })
          .onConflict((conflict) =>
            conflict.constraint('push_config_pkey').doUpdateSet({ ...set, disabled_at: null, dead_in_a_row: 0 }),
          )
          .execute();
        return true;
      }),
    getPushConfig: async (taskId, configId) => {
      const row = await selectConfig(database, { taskId, configId }).executeTakeFirst();
      return row === undefined ? undefined : pushConfig(row);
    },
    listPushConfigs: async (taskId) => {
      const rows = await database
        .selectFrom('push_config')
        .selectAll()
        .where('task_id', '=', taskId)
        .orderBy('created_at')
        .orderBy('config_id')
        .execute();
      return rows.map(pushConfig);
    },
    deletePushConfig: async (taskId, configId) => {
      await database
        .deleteFrom('push_config')
        .where('task_id', '=', taskId)
        .where('config_id', '=', configId)
        .execute();
    },
    pushConfigsBehind: async (taskId) => {
      const rows = await database
        .selectFrom('push_config as config')
        .innerJoin('a2a_task as task', 'task.task_id', 'config.task_id')
        .select('config.config_id')
        .where('config.task_id', '=', taskId)
        .where('config.disabled_at', 'is', null)
        .where((where) =>
          where.or([
            where('config.after_seq', '<', where.ref('task.head_seq')),
            where.exists(
              where
                .selectFrom('push_failure as failure')
                .select('failure.seq')
                .whereRef('failure.task_id', '=', 'config.task_id')
                .whereRef('failure.config_id', '=', 'config.config_id')
                .where('failure.is_dead', '=', false),
            ),
          ]),
        )
        .execute();
      return rows.map((row) => row.config_id);
    },
    nextPush: async (ids) => {
      const row = await selectConfig(database, ids).where('disabled_at', 'is', null).executeTakeFirst();
      if (row === undefined) return undefined;
      const config = pushConfig(row);
      const failed = await database
        .selectFrom('push_failure')
        .select(['seq', 'attempts', sql<number>`(extract(epoch FROM next_at - now()) * 1000)::float8`.as('inMs')])
        .where('task_id', '=', ids.taskId)
        .where('config_id', '=', ids.configId)
        .where('is_dead', '=', false)
        .orderBy('seq')
        .limit(1)
        .executeTakeFirst();
      if (failed !== undefined) {
        const { seq, attempts, inMs } = failed;
        return inMs > 0 ? { inMs: Math.ceil(inMs) } : { config, seq, attempts };
      }
      const event = await database
        .selectFrom('a2a_task_event')
        .select('seq')
        .where('task_id', '=', ids.taskId)
        .where('seq', '>', row.after_seq)
        .where('kind', 'in', told)
        .orderBy('seq')
        .limit(1)
        .executeTakeFirst();
      return event === undefined ? undefined : { config, seq: event.seq, attempts: 0 };
    },
    pushDelivered: async (push) =>
      await inTransaction(database, async (transaction) => {
        await sql`DELETE FROM push_failure WHERE ${thatPush(push)} AND NOT is_dead`.execute(transaction);
        await sql`UPDATE push_config SET after_seq = greatest(after_seq, ${push.seq}), dead_in_a_row = 0
          WHERE ${thatConfig(push)}`.execute(transaction);
      }),
    pushFailed: async (push, { reason, status, againInMs }) =>
      await inTransaction(database, async (transaction) => {
        const isDead = againInMs === null;
        const config = await transaction
          .selectFrom('push_config')
          .select('after_seq')
          .where(thatConfig(push))
          .forUpdate()
          .executeTakeFirst();
        const failure = await transaction
          .selectFrom('push_failure')
          .select(['attempts', 'is_dead'])
          .where(thatPush(push))
          .executeTakeFirst();
        // Another worker was thought to be dead, and has told it meanwhile.
        const isNext =
          failure === undefined
            ? push.attempts === 0 && push.seq > (config?.after_seq ?? push.seq)
            : failure.attempts === push.attempts && !failure.is_dead;
        if (config === undefined || !isNext) return;
        const values = {
          is_dead: isDead,
          attempts: push.attempts + 1,
          next_at: sql<Date>`now() + ${againInMs ?? 0} * interval '1 millisecond'`,
          reason: cleanText(reason),
          status,
          at: sql<Date>`now()`,
        };
        const { taskId, configId } = push.config;
        await transaction
          .insertInto('push_failure')
          .values({ ...values, task_id: taskId, config_id: configId, seq: push.seq })
          .onConflict((conflict) => conflict.constraint('push_failure_pkey').doUpdateSet(values))
          .execute();
        await sql`UPDATE push_config SET after_seq = greatest(after_seq, ${push.seq}) WHERE ${thatConfig(push)}`.execute(
          transaction,
        );
        if (!isDead) return;
        await sql`UPDATE push_config SET dead_in_a_row = dead_in_a_row + 1,
          disabled_at = CASE WHEN dead_in_a_row + 1 >= ${deadLettersInARow} THEN now() END
          WHERE ${thatConfig(push)}`.execute(transaction);
      }),
    listDeadLetters: async ({ principal, before, limit }) => {
      const rows = await selectDeadLetters(database, principal)
        .where('failure.is_dead', '=', true)
        .$if(before !== undefined, (query) =>
          query.where(
            sql<boolean>`(failure.at, failure.failure_id) <
              (SELECT at, failure_id FROM push_failure WHERE failure_id = ${before ?? ''}::uuid)`,
          ),
        )
        .orderBy('failure.at', 'desc')
        .orderBy('failure.failure_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(deadLetter);
    },
    replayDeadLetter: async ({ deadLetterId, principal }) =>
      await inTransaction(database, async (transaction) => {
        const row = await selectDeadLetters(transaction, principal)
          .where('failure.failure_id', '=', deadLetterId)
          .executeTakeFirst();
        if (row === undefined) return undefined;
        await transaction
          .updateTable('push_config')
          .set({ disabled_at: null, dead_in_a_row: 0 })
          .where('task_id', '=', row.task_id)
          .where('config_id', '=', row.config_id)
          .execute();
        await transaction
          .updateTable('push_failure')
          .set({ is_dead: false, attempts: 0, next_at: sql<Date>`now()` })
          .where('failure_id', '=', deadLetterId)
          .where('is_dead', '=', true)
          .execute();
        return { ...deadLetter(row), isDisabled: false };
      }),
  };
}

function selectConfig(database: Queries, { taskId, configId }: { readonly taskId: string; readonly configId: string }) {
  return database.selectFrom('push_config').selectAll().where('task_id', '=', taskId).where('config_id', '=', configId);
}

function thatConfig({ config }: Push) {
  return sql<boolean>`task_id = ${config.taskId} AND config_id = ${config.configId}`;
}

function thatPush(push: Push) {
  return sql<boolean>`${thatConfig(push)} AND seq = ${push.seq}`;
}

/** That of a message which its task does not know comes from nowhere: all is told. */
async function seqOfMessage(database: Queries, taskId: string, messageId: string): Promise<number> {
  const row = await database
    .selectFrom('a2a_task_event')
    .select('seq')
    .where('task_id', '=', taskId)
    .where('key', '=', `message:${messageId}`)
    .executeTakeFirst();
  return row?.seq ?? 0;
}

function selectDeadLetters(database: Queries, principal: string | undefined) {
  return database
    .selectFrom('push_failure as failure')
    .innerJoin('push_config as config', (join) =>
      join.onRef('config.task_id', '=', 'failure.task_id').onRef('config.config_id', '=', 'failure.config_id'),
    )
    .innerJoin('a2a_task as task', 'task.task_id', 'failure.task_id')
    .select([
      'failure.failure_id',
      'failure.task_id',
      'failure.config_id',
      'failure.seq',
      'failure.attempts',
      'failure.reason',
      'failure.status',
      'failure.at',
      'config.url',
      'config.disabled_at',
    ])
    .$if(principal !== undefined, (query) => query.where('task.principal', '=', principal ?? ''));
}

function pushConfig(row: Selectable<PushConfigTable>): PushConfig {
  return {
    taskId: row.task_id,
    configId: row.config_id,
    url: row.url,
    wireVersion: Version.parse(row.wire_version),
    sealed: row.sealed,
  };
}

function deadLetter(
  row: Omit<Selectable<PushFailureTable>, 'is_dead' | 'next_at'> &
    Pick<Selectable<PushConfigTable>, 'url' | 'disabled_at'>,
): DeadLetter {
  return {
    deadLetterId: row.failure_id,
    taskId: row.task_id,
    configId: row.config_id,
    url: row.url,
    seq: row.seq,
    attempts: row.attempts,
    reason: row.reason,
    status: row.status,
    at: row.at,
    isDisabled: row.disabled_at !== null,
  };
}
