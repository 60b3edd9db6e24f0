import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { parseApiKey } from '../../domain/access/api-key.ts';
import type { Principal } from '../../domain/access/permissions.ts';
import type { AccessStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { inTenant } from '../store/current-tenant.ts';
import type { Authenticate } from './permissions.ts';

/** The last use of a key is known to the minute; noting it each time would be a write for each request. */
const useToMs = 60_000;
const looksLikeJwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Who holds an access token of another issuer; undefined for one that does not hold. */
type VerifyToken = (token: string) => Promise<Principal | undefined>;

/**
 * By an API key, as `Authorization: Bearer <key>` or `X-API-Key: <key>`, or by an access token of an issuer. Every failure
 * looks the same to who asks. @throws `unauthenticated`
 */
export function authenticateByToken(
  store: Pick<AccessStore, 'findApiKey' | 'noteApiKeyUse'>,
  verifyToken: VerifyToken = async () => undefined,
): Authenticate {
  return async (request) => {
    const text = credentialOf(request);
    const principal = text === undefined ? undefined : await principalOf(store, text, verifyToken);
    if (principal !== undefined) return principal;
    throw new CodetetherError('unauthenticated');
  };
}

async function principalOf(
  store: Pick<AccessStore, 'findApiKey' | 'noteApiKeyUse'>,
  text: string,
  verifyToken: VerifyToken,
): Promise<Principal | undefined> {
  const key = parseApiKey(text);
  if (key === undefined) return looksLikeJwt.test(text) ? await verifyToken(text) : undefined;
  return await inTenant(key.tenant, async () => {
    const found = await store.findApiKey(key.keyId);
    const isRight = timingSafeEqual(secretHash(key.secret), found?.secretHash ?? Buffer.alloc(32));
    if (found === undefined || !isRight) return undefined;
    const now = new Date();
    const ends = [found.expiresAt, found.revokedAt].filter((end) => end !== null);
    if (ends.some((end) => end <= now)) return undefined;
    if (now.getTime() - (found.lastUsedAt?.getTime() ?? 0) >= useToMs) await store.noteApiKeyUse(key.keyId);
    return { id: `key:${key.keyId}`, tenant: key.tenant, permissions: new Set(found.permissions), isLocal: false };
  });
}

function credentialOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const [, bearer] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (bearer !== undefined) return bearer;
  const own = headers['x-api-key'];
  return typeof own === 'string' ? own : undefined;
}
