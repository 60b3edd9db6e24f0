import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { permissions } from '../../domain/access/permissions.ts';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import type { AuditEntry } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultTenant, tenantPattern } from '../../domain/run/ids.ts';
import { inTenant } from '../store/current-tenant.ts';
import { metadataPaths } from './protected-resource.ts';

/** @returns who asks. @throws `unauthenticated` when that cannot be told */
export type Authenticate = (request: Pick<FastifyRequest, 'headers'>) => Promise<Principal>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a principal needs for this route. A route without it does not start, except the public ones. */
    readonly permission?: Permission;
    /** One line about it in the OpenAPI document. */
    readonly summary?: string;
    /** Of a protocol that is described, and keeps from doing things twice, by itself: A2A. */
    readonly protocol?: 'a2a';
    /** Content types of answers that are no JSON document, by status. */
    readonly answers?: { readonly [status: number]: readonly string[] };
    /** Shape of its failures, where they are no problems of RFC 9457. */
    readonly errors?: z.ZodType;
  }
  interface FastifyRequest {
    /** Null on a public route. */
    principal: Principal | null;
  }
}

/** Where other agents read what this one is. */
export const cardPaths = ['/.well-known/agent-card.json', '/.well-known/agent.json'] as const;

/** Where the public keys of its card's signatures are. */
export const keySetPath = '/.well-known/jwks.json';

const publicRoutes: ReadonlySet<string> = new Set([
  '/health',
  '/ready',
  '/openapi.json',
  ...cardPaths,
  keySetPath,
  ...metadataPaths,
]);

/** Names whose rows the local user asks for. */
const tenantHeader = 'x-codetether-tenant';
const all: ReadonlySet<Permission> = new Set(permissions);

/**
 * The peer of the local socket: its file can be opened by its owner only, which is the check. The owner of the machine may ask for any
 * tenant's rows, those of `default` unless the header `X-Codetether-Tenant` names another.
 */
export const authenticateLocal: Authenticate = async ({ headers }) => {
  const tenant = headers[tenantHeader] ?? defaultTenant;
  if (typeof tenant === 'string' && tenantPattern.test(tenant)) {
    return { id: 'local', tenant, permissions: all, isLocal: true };
  }
  throw new CodetetherError('request-invalid', undefined, {
    problems: [`${tenantHeader}: expected small letters, digits and dashes, at most 40`],
  });
};

/** Of a request to a route that declares a permission. */
export function principalOf({ principal }: Pick<FastifyRequest, 'principal'>): Principal {
  if (principal === null) throw new CodetetherError('unauthenticated');
  return principal;
}

/**
 * Default deny: from now on a route that declares no permission is a start-up error, every request is checked, and what it does
 * is done with the rows of its principal's tenant.
 */
export function requirePermissions(
  app: FastifyInstance,
  options: {
    readonly authenticate: Authenticate;
    readonly appendAudit: (entry: AuditEntry) => Promise<void>;
  },
): void {
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.permission === undefined && !publicRoutes.has(route.url)) {
      throw new Error(`the route ${String(route.method)} ${route.url} declares no permission`);
    }
  });
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config;
    if (permission === undefined) return;
    const principal = await options.authenticate(request);
    request.principal = principal;
    const action = `${request.method} ${request.routeOptions.url ?? ''}`;
    await requirePermission(principal, permission, { action, appendAudit: options.appendAudit });
  });
  // The last hook before the handler, so that no reading of a body comes in between.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.principal === null) done();
    else inTenant(request.principal.tenant, done);
  });
}

/** Denials stand in the audit. @throws `permission-denied` */
export async function requirePermission(
  principal: Principal,
  permission: Permission,
  { action, appendAudit }: { readonly action: string; readonly appendAudit: (entry: AuditEntry) => Promise<void> },
): Promise<void> {
  if (principal.permissions.has(permission)) return;
  const entry = { principal: principal.id, action, outcome: 'denied', detail: { needs: permission } } as const;
  await inTenant(principal.tenant, async () => await appendAudit(entry));
  throw new CodetetherError('permission-denied', `${principal.id} may not do that: it needs ${permission}`, {
    details: { needs: permission },
  });
}
