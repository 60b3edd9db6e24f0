import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { isDeeper } from '../json-bodies.ts';
import { principalOf } from '../permissions.ts';
import { addressOf } from '../protected-resource.ts';
import { whenGone } from '../stream-reply.ts';
import type { CardAddresses } from './agent-card.ts';
import { versionNamed } from './calls.ts';
import type { Call, SpokenVersion } from './calls.ts';

const jsonType = /^application\/(?:a2a\+)?json\b/i;

/** The version that a request names, by the header or the query parameter `A2A-Version`. */
export function versionOf(request: FastifyRequest, otherwise: SpokenVersion): string {
  const query: unknown = Reflect.get(Object(request.query), 'A2A-Version');
  return versionNamed(header(request, 'a2a-version') ?? (typeof query === 'string' ? query : undefined), otherwise);
}

export function isJson({ headers }: FastifyRequest): boolean {
  return jsonType.test(headers['content-type'] ?? '');
}

/** Undefined for what is no JSON, and for what has more levels than are taken. */
export function parsedBody({ body }: FastifyRequest): unknown {
  const text = typeof body === 'string' ? body : '';
  if (isDeeper(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function callOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { deps, version }: { readonly deps: ApiDeps; readonly version: SpokenVersion },
): Call {
  return {
    principal: principalOf(request),
    version,
    extensions: header(request, 'a2a-extensions') ?? header(request, 'x-a2a-extensions'),
    gone: whenGone(reply),
    addresses: addressesOf(request, deps),
  };
}

/** As whoever asks sees them. */
export function addressesOf(request: FastifyRequest, deps: Pick<ApiDeps, 'publicUrl' | 'grpcAddress'>): CardAddresses {
  const origin = addressOf(request, deps);
  const { grpcAddress } = deps;
  if (grpcAddress === undefined) return { origin };
  return { origin, grpc: typeof grpcAddress === 'string' ? grpcAddress : `${new URL(origin).hostname}:${grpcAddress}` };
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  return [headers[name]].flat()[0];
}
