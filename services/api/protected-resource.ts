import type { FastifyInstance, FastifyRequest } from 'fastify';
import { permissions } from '../../domain/access/permissions.ts';
import type { ApiDeps } from './deps.ts';

export const mcpPath = '/mcp';
/** As a browser on this machine names it. */
export const loopbackNames: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];
const metadataPath = '/.well-known/oauth-protected-resource';
/** Of the whole, and of the MCP server (RFC 9728 §3.1). */
export const metadataPaths: readonly string[] = [metadataPath, `${metadataPath}${mcpPath}`];

/** Tells clients whose access tokens are taken (RFC 9728). There is nothing to tell where no issuer is set. */
export function serveResourceMetadata(app: FastifyInstance, deps: Pick<ApiDeps, 'oidcIssuer' | 'publicUrl'>): void {
  const { oidcIssuer } = deps;
  if (oidcIssuer === undefined) return;
  for (const path of metadataPaths) {
    app.get(path, async (request) => ({
      resource: `${addressOf(request, deps)}${path.slice(metadataPath.length)}`,
      authorization_servers: [oidcIssuer],
      scopes_supported: permissions,
      bearer_methods_supported: ['header'],
      resource_name: 'codetether',
    }));
  }
}

/** Of the header `WWW-Authenticate`. */
export function challenge(request: FastifyRequest, deps: Pick<ApiDeps, 'oidcIssuer' | 'publicUrl'>): string {
  const realm = 'Bearer realm="codetether"';
  if (deps.oidcIssuer === undefined) return realm;
  const ofMcp = request.url.split('?')[0] === mcpPath;
  return `${realm}, resource_metadata="${addressOf(request, deps)}${metadataPath}${ofMcp ? mcpPath : ''}"`;
}

/** Where this API is, as who asks sees it; a host that is no host name is not repeated. Without a slash at its end. */
export function addressOf(request: FastifyRequest, { publicUrl }: Pick<ApiDeps, 'publicUrl'>): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const host = /^[\w.:[\]-]+$/.test(request.host) ? request.host : 'localhost';
  return `${request.protocol}://${host}`;
}
