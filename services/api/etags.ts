import { createHash } from 'node:crypto';
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';

/** What is longer is sent as it is: hashing it would cost more than sending it. */
const longestCharacters = 1_000_000;

/**
 * JSON that is read below `/v1/` has an `ETag` (weak: of the text, not of its encoding) from now on, and who comes with it in `If-None-Match` gets
 * 304 while nothing has changed. It is for who has asked only, and to be asked for again each time.
 */
export function answerUnchanged(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (!isCacheable(request) || reply.statusCode !== 200 || typeof payload !== 'string') return payload;
    const type = reply.getHeader('content-type');
    if (typeof type !== 'string' || !type.startsWith('application/json')) return payload;
    reply.headers({ 'cache-control': 'private, no-cache', vary: 'Authorization, X-API-Key, X-Codetether-Tenant' });
    if (payload.length > longestCharacters) return payload;
    const tag = `W/"${createHash('sha256').update(payload).digest('base64url').slice(0, 27)}"`;
    reply.header('etag', tag);
    if (!isKnown(request.headers['if-none-match'], tag)) return payload;
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    return null;
  });
}

/** Whether answers of a route have an `ETag`. */
export function hasETag(url: string, { permission, protocol }: FastifyContextConfig): boolean {
  return permission !== undefined && protocol === undefined && url.startsWith('/v1/');
}

function isCacheable({ method, routeOptions: { url = '', config } }: FastifyRequest): boolean {
  return method === 'GET' && hasETag(url, config);
}

function isKnown(given: string | undefined, tag: string): boolean {
  if (given === undefined) return false;
  const opaque = (each: string) => each.trim().replace(/^W\//, '');
  return given.trim() === '*' || given.split(',').some((each) => opaque(each) === opaque(tag));
}
