import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import type {
  AccessStore,
  ApiKeyRecord,
  AuditEntry,
  AuditRecord,
  NamedWorkspace,
} from '../../domain/contracts/store.ts';
import { isPermission } from '../../domain/access/permissions.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { cleanText, jsonText } from './json.ts';
import type { ApiKeyTable, AuditTable, NamedWorkspaceTable } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const keyColumns = [
  'key_id',
  'name',
  'permissions',
  'created_by',
  'created_at',
  'expires_at',
  'last_used_at',
  'revoked_at',
] as const;
const verifiedAtOnce = 1_000;

export function createAccessStore(database: Queries): AccessStore {
  return {
    addApiKey: async ({ keyId, name, permissions, createdBy, expiresAt, secretHash }) =>
      apiKeyRecord(
        await database
          .insertInto('api_key')
          .values({
            key_id: keyId,
            name: cleanText(name),
            permissions: [...permissions],
            created_by: createdBy,
            expires_at: expiresAt,
            secret_hash: Buffer.from(secretHash),
          })
          .returning(keyColumns)
          .executeTakeFirstOrThrow(),
      ),
    listApiKeys: async () => {
      const rows = await database.selectFrom('api_key').select(keyColumns).orderBy('created_at', 'desc').execute();
      return rows.map(apiKeyRecord);
    },
    findApiKey: async (keyId) => {
      const row = await database
        .selectFrom('api_key')
        .select([...keyColumns, 'secret_hash'])
        .where('key_id', '=', keyId)
        .executeTakeFirst();
      return row === undefined ? undefined : { ...apiKeyRecord(row), secretHash: row.secret_hash };
    },
    noteApiKeyUse: async (keyId) => {
      await database
        .updateTable('api_key')
        .set({ last_used_at: sql<Date>`now()` })
        .where('key_id', '=', keyId)
        .where(sql<boolean>`(last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`)
        .execute();
    },
    revokeApiKey: async (keyId, at) => {
      const row = await database
        .updateTable('api_key')
        .set({ revoked_at: sql<Date>`least(revoked_at, ${at})` })
        .where('key_id', '=', keyId)
        .returning(keyColumns)
        .executeTakeFirst();
      if (row === undefined) throw new CodetetherError('not-found', `there is no token ${keyId}`);
      return apiKeyRecord(row);
    },
    nameWorkspace: async ({ name, hostId, folder, createdBy }) =>
      workspaceRecord(
        await database
          .insertInto('named_workspace')
          .values({ name, host_id: hostId, folder, created_by: createdBy })
          .onConflict((conflict) =>
            conflict.constraint('named_workspace_pkey').doUpdateSet({ host_id: hostId, folder, created_by: createdBy }),
          )
          .returningAll()
          .executeTakeFirstOrThrow(),
      ),
    listNamedWorkspaces: async () => {
      const rows = await database.selectFrom('named_workspace').selectAll().orderBy('name').execute();
      return rows.map(workspaceRecord);
    },
    forgetWorkspace: async (name) => {
      const row = await database
        .deleteFrom('named_workspace')
        .where('name', '=', name)
        .returningAll()
        .executeTakeFirst();
      return row === undefined ? undefined : workspaceRecord(row);
    },
    appendAudit: async (entry) => {
      await inTransaction(database, async (transaction) => {
        // One after the other, so that each follows the one before it.
        await sql`SELECT pg_advisory_xact_lock(hashtextextended('audit:' || current_setting('codetether.tenant'), 0))`.execute(
          transaction,
        );
        const last = await transaction
          .selectFrom('audit')
          .select(['seq', 'hash'])
          .orderBy('seq', 'desc')
          .limit(1)
          .executeTakeFirst();
        const detail = jsonText(entry.detail);
        const next = { ...entry, detail: JSON.parse(detail), seq: (last?.seq ?? 0) + 1, at: new Date() };
        await transaction
          .insertInto('audit')
          .values({
            seq: next.seq,
            at: next.at,
            principal: cleanText(entry.principal),
            action: cleanText(entry.action),
            outcome: entry.outcome,
            detail,
            hash: auditHash(last?.hash, next),
          })
          .execute();
      });
    },
    readAudit: async ({ before, limit }) => {
      const all = database.selectFrom('audit').selectAll().orderBy('seq', 'desc').limit(limit);
      return (await (before === undefined ? all : all.where('seq', '<', before)).execute()).map(auditRecord);
    },
    verifyAudit: async () => {
      let last: Buffer | undefined;
      for (let seq = 0; ;) {
        const rows = await database
          .selectFrom('audit')
          .selectAll()
          .where('seq', '>', seq)
          .orderBy('seq')
          .limit(verifiedAtOnce)
          .execute();
        for (const row of rows) {
          const isNext = row.seq === seq + 1 && auditHash(last, auditRecord(row)).equals(row.hash);
          if (!isNext) return row.seq;
          seq = row.seq;
          last = row.hash;
        }
        if (rows.length < verifiedAtOnce) return undefined;
      }
    },
  };
}

function auditHash(before: Buffer | undefined, entry: AuditEntry & Pick<AuditRecord, 'seq' | 'at'>): Buffer {
  const { seq, at, principal, action, outcome, detail } = entry;
  return createHash('sha256')
    .update(before ?? '')
    .update(JSON.stringify([seq, at.toISOString(), cleanText(principal), cleanText(action), outcome, sorted(detail)]))
    .digest();
}

/** jsonb does not keep the order of keys. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}

function apiKeyRecord(row: Omit<Selectable<ApiKeyTable>, 'secret_hash'>): ApiKeyRecord {
  return {
    keyId: row.key_id,
    name: row.name,
    // One that a later release has removed gives nothing.
    permissions: row.permissions.filter(isPermission),
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}

function workspaceRecord(row: Selectable<NamedWorkspaceTable>): NamedWorkspace {
  const { name, host_id: hostId, folder, created_by: createdBy, created_at: createdAt } = row;
  return { name, hostId, folder, createdBy, createdAt };
}

function auditRecord(row: Selectable<AuditTable>): AuditRecord {
  const { seq, at, principal, action, outcome, detail, hash } = row;
  return { seq, at, principal, action, outcome, detail: detail as AuditRecord['detail'], hash: hash.toString('hex') };
}
