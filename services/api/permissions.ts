import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodetetherError } from '../../domain/errors.ts';

export const permissions = ['runs:read', 'runs:write', 'hosts:read', 'approvals:read', 'approvals:answer'] as const;
export type Permission = (typeof permissions)[number];

/** Who asks. */
export interface Principal {
  readonly id: string;
  readonly permissions: ReadonlySet<Permission>;
}

/** @returns who asks; throws when that cannot be told */
export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a principal needs for this route. A route without it does not start, except the public ones. */
    readonly permission?: Permission;
  }
}

const publicRoutes: ReadonlySet<string> = new Set(['/health', '/ready']);

/**
 * The peer of the local socket: its file can be opened by its owner only, which is the check.
 */
export const authenticateLocal: Authenticate = async () => ({ id: 'local', permissions: new Set(permissions) });

/** Default deny: from now on a route that declares no permission is a start-up error, and every request is checked. */
export function requirePermissions(app: FastifyInstance, authenticate: Authenticate): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.permission === undefined && !publicRoutes.has(route.url)) {
      throw new Error(`the route ${String(route.method)} ${route.url} declares no permission`);
    }
  });
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config;
    if (permission === undefined) return;
    const principal = await authenticate(request);
    if (!principal.permissions.has(permission)) {
      throw new CodetetherError('permission-denied', `${principal.id} may not do that: it needs ${permission}`);
    }
  });
}
