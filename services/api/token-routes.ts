import { randomBytes } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { formatApiKey, keyIdPattern } from '../../domain/access/api-key.ts';
import { roles } from '../../domain/access/permissions.ts';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import {
  AuditCheckView,
  AuditView,
  CreateTokenRequest,
  NewTokenView,
  RotateTokenRequest,
  TokenListView,
  TokenView,
} from '../../domain/contracts/access-api.ts';
import type { ApiKeyRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { secretHash } from './authenticate.ts';
import type { ApiDeps } from './deps.ts';
import { cursorsOf, pageOf, pageOfAll, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';

const TokenParams = z.object({ tokenId: z.string().regex(keyIdPattern, 'expected 12 hex digits') });
const AuditQuery = z.strictObject({ ...pageQuery, limit: pageQuery.limit.default(100) });
const AuditPlace = z.tuple([z.number().int().positive()]);

/** The tokens of a tenant, and what was done with them. */
export function tokenRoutes({ store }: Pick<ApiDeps, 'store'>): FastifyPluginAsyncZod {
  return async (app) => {
    const config = { permission: 'tokens:manage' } as const;

    app.post(
      '/v1/tokens',
      {
        config: { ...config, secretAnswer: true, summary: 'Make a token' },
        schema: { body: CreateTokenRequest, response: { 201: NewTokenView } },
      },
      async (request, reply) => {
        const principal = principalOf(request);
        const { name, role, permissions = [], expiresInMs } = request.body;
        const wanted = role === undefined ? permissions : roles[role];
        requireNoMore(principal, wanted);
        const expiresAt = expiresInMs === null ? null : new Date(Date.now() + expiresInMs);
        const made = await make(principal, { name, permissions: wanted, expiresAt });
        await note(principal, 'tokens create', { tokenId: made.tokenId, name, permissions: [...wanted] });
        return await reply.code(201).send(made);
      },
    );

    app.get(
      '/v1/tokens',
      {
        config: { ...config, summary: 'Tokens, newest first' },
        schema: { querystring: z.strictObject(pageQuery), response: { 200: TokenListView } },
      },
      async (request) => {
        const { tenant } = principalOf(request);
        const { items, nextCursor } = pageOfAll(await store.listApiKeys(), {
          page: request.query,
          of: [tenant, 'tokens'],
          // Newest first.
          key: ({ createdAt, keyId }) => `${String(8.64e15 - createdAt.getTime()).padStart(17, '0')} ${keyId}`,
        });
        return { tokens: items.map((key) => tokenView(tenant, key)), nextCursor };
      },
    );

    app.delete(
      '/v1/tokens/:tokenId',
      {
        config: { ...config, summary: 'Revoke a token' },
        schema: { params: TokenParams, response: { 200: TokenView } },
      },
      async (request) => {
        const principal = principalOf(request);
        const revoked = await store.revokeApiKey(request.params.tokenId, new Date());
        await note(principal, 'tokens revoke', { tokenId: revoked.keyId });
        return tokenView(principal.tenant, revoked);
      },
    );

    app.post(
      '/v1/tokens/:tokenId/rotate',
      {
        config: { ...config, secretAnswer: true, summary: 'A new token in the place of another' },
        schema: { params: TokenParams, body: RotateTokenRequest, response: { 201: NewTokenView } },
      },
      async (request, reply) => {
        const principal = principalOf(request);
        const { tokenId } = request.params;
        const old = await store.findApiKey(tokenId);
        if (old === undefined || statusOf(old) !== 'active') {
          throw new CodetetherError('not-found', `there is no active token ${tokenId}`);
        }
        requireNoMore(principal, old.permissions);
        const life = old.expiresAt === null ? null : old.expiresAt.getTime() - old.createdAt.getTime();
        const expiresAt = life === null ? null : new Date(Date.now() + life);
        const made = await make(principal, { name: old.name, permissions: old.permissions, expiresAt });
        await store.revokeApiKey(tokenId, new Date(Date.now() + request.body.overlapMs));
        await note(principal, 'tokens rotate', { tokenId, by: made.tokenId });
        return await reply.code(201).send(made);
      },
    );

    app.get(
      '/v1/audit',
      {
        config: { permission: 'audit:read', summary: 'What was done and denied, newest first' },
        schema: { querystring: AuditQuery, response: { 200: AuditView } },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const cursors = cursorsOf([principalOf(request).tenant, 'audit'], AuditPlace);
        const [before] = cursors.read(cursor) ?? [];
        const read = await store.readAudit({ limit: limit + 1, ...(before === undefined ? {} : { before }) });
        const { items, nextCursor } = pageOf(read, { limit, cursors, at: ({ seq }) => [seq] as [number] });
        return { entries: items.map((entry) => ({ ...entry, at: entry.at.toISOString() })), nextCursor };
      },
    );

    app.get(
      '/v1/audit/check',
      {
        config: { permission: 'audit:read', summary: 'The first audit entry that was changed' },
        schema: { response: { 200: AuditCheckView } },
      },
      async () => ({ broken: (await store.verifyAudit()) ?? null }),
    );
  };

  async function make(
    { id, tenant }: Principal,
    wanted: Pick<ApiKeyRecord, 'name' | 'permissions' | 'expiresAt'>,
  ): Promise<NewTokenView> {
    const keyId = randomBytes(6).toString('hex');
    const secret = randomBytes(32).toString('base64url');
    const key = await store.addApiKey({ ...wanted, keyId, createdBy: id, secretHash: secretHash(secret) });
    return { ...tokenView(tenant, key), token: formatApiKey({ tenant, keyId, secret }) };
  }

  async function note(
    { id }: Principal,
    action: string,
    detail: { readonly [key: string]: string | readonly string[] },
  ): Promise<void> {
    await store.appendAudit({ principal: id, action, outcome: 'done', detail });
  }
}

/** Nobody gives what they have not. */
function requireNoMore(principal: Principal, wanted: readonly Permission[]): void {
  const lacking = wanted.filter((permission) => !principal.permissions.has(permission));
  if (lacking.length === 0) return;
  throw new CodetetherError('permission-denied', `${principal.id} has not itself ${lacking.join(', ')}`);
}

function statusOf({ expiresAt, revokedAt }: ApiKeyRecord): TokenView['status'] {
  const now = new Date();
  if (revokedAt !== null && revokedAt <= now) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'active';
}

function tokenView(tenant: string, key: ApiKeyRecord): TokenView {
  const { keyId, name, permissions, createdBy, createdAt, expiresAt, lastUsedAt, revokedAt } = key;
  return {
    tokenId: keyId,
    name,
    prefix: formatApiKey({ tenant, keyId, secret: '' }),
    permissions: [...permissions],
    createdBy,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
    status: statusOf(key),
  };
}
