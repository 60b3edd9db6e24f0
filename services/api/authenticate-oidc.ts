import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { isPermission, roles } from '../../domain/access/permissions.ts';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultTenant, tenantPattern } from '../../domain/run/ids.ts';

export interface OidcSettings {
  /** As its tokens name it. */
  readonly issuer: string;
  /** What its tokens for this API name. */
  readonly audience: string;
  /** Claim that names the tenant; undefined: everybody is of the default one. */
  readonly tenantClaim: string | undefined;
}

/** Signatures by a key that only the issuer has; never `none`, never a shared secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const clockToleranceS = 30;
const answerMs = 5_000;
/** A key that is not known is asked for again this often at the most. */
const refetchMs = 2_000;
/** A token's role: `codetether:operator`. */
const rolePrefix = 'codetether:';

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

/**
 * Access tokens of an OpenID Connect issuer, as JWT (RFC 9068). What they may do: their `scope`s that are permissions of ours, and
 * their `roles` that begin with `codetether:`. Keys are fetched when the first token comes, and again for a key that is not known.
 * @returns undefined for a token that does not hold; throws `issuer-unreachable` where that cannot be told
 */
export function createOidcVerifier(settings: OidcSettings): (token: string) => Promise<Principal | undefined> {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const keysOfIssuer = async (): Promise<JWTVerifyGetKey> => {
    keys ??= discover(settings.issuer);
    try {
      return await keys;
    } catch (error) {
      keys = undefined;
      throw error;
    }
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, await keysOfIssuer(), {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms,
        clockTolerance: clockToleranceS,
        requiredClaims: ['exp', 'sub'],
      });
      return principalOf(payload, settings);
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError))
        throw unreachable(settings, error);
      return undefined;
    }
  };
}

async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(answerMs), redirect: 'error' });
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  const { issuer: named, jwks_uri: jwks } = Discovery.parse(await response.json());
  if (named !== issuer) throw new Error(`${address} is of the issuer ${named}`);
  return createRemoteJWKSet(new URL(jwks), { timeoutDuration: answerMs, cooldownDuration: refetchMs });
}

function principalOf(payload: JWTPayload, { tenantClaim }: OidcSettings): Principal | undefined {
  const tenant = tenantClaim === undefined ? defaultTenant : payload[tenantClaim];
  if (typeof tenant !== 'string' || !tenantPattern.test(tenant)) return undefined;
  const { scope, roles: claimed } = payload;
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  const names = Array.isArray(claimed) ? claimed.filter((name) => typeof name === 'string') : [];
  const permissions = new Set<Permission>(scopes.filter(isPermission));
  for (const name of names) for (const permission of permissionsOfRole(name)) permissions.add(permission);
  return { id: `oidc:${String(payload.sub)}`, tenant, permissions, isLocal: false };
}

function permissionsOfRole(name: string): readonly Permission[] {
  const role = name.startsWith(rolePrefix) ? name.slice(rolePrefix.length) : '';
  return Object.entries(roles).find(([known]) => known === role)?.[1] ?? [];
}

function unreachable({ issuer }: OidcSettings, cause: unknown): CodetetherError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CodetetherError('issuer-unreachable', `the keys of ${issuer} cannot be had: ${reason}`, { cause });
}
