import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { A2A_ERROR_CODE, ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler } from '@a2a-js/sdk/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodetetherError } from '../../../domain/errors.ts';
import type { ApiDeps } from '../deps.ts';
import { requirePermission } from '../permissions.ts';
import { asStream, eventStreamType } from '../stream-reply.ts';
import { requireSpoken } from './calls.ts';
import type { Answer } from './answers.ts';
import type { Calls, OpenCall, SpokenVersion } from './calls.ts';
import { callOf, isJson, parsedBody, versionOf } from './http-call.ts';
import { permissionOf } from './method-permissions.ts';
import { Envelope, problemOf } from './request-shape.ts';
import { begin, isStream, sendEvents } from './server-sent-events.ts';
import type { BegunStream } from './server-sent-events.ts';

/** A2A 1.0 and 0.3 over JSON-RPC, by the version that the request names; 0.3 where it names none. */
export function answerJsonRpc(deps: ApiDeps, calls: Calls): Answer {
  return answer;

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const named = versionOf(request, '0.3');
    const failure = (id: unknown, error: unknown) => ({
      jsonrpc: '2.0',
      id: typeof id === 'string' || typeof id === 'number' ? id : null,
      error:
        named === '0.3'
          ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError(error)
          : JsonRpcTransportHandler.mapToJSONRPCError(error),
    });
    const fail = async (id: unknown, error: unknown): Promise<FastifyReply> => await reply.send(failure(id, error));
    const refuse = async (id: unknown, code: number, message: string): Promise<FastifyReply> =>
      await reply.send({
        jsonrpc: '2.0',
        id: typeof id === 'string' || typeof id === 'number' ? id : null,
        error: { code, message },
      });

    if (!isJson(request)) return await fail(null, new ContentTypeNotSupportedError('send application/json'));
    const body = parsedBody(request);
    if (body === undefined) return await refuse(null, A2A_ERROR_CODE.PARSE_ERROR, 'the body is no JSON');
    const envelope = Envelope.safeParse(body);
    if (!envelope.success)
      return await refuse(
        Reflect.get(Object(body), 'id'),
        A2A_ERROR_CODE.INVALID_REQUEST,
        'the body is no JSON-RPC 2.0 request',
      );
    const { id, method, params } = envelope.data;
    let version: SpokenVersion;
    try {
      version = requireSpoken(named);
    } catch (error) {
      return await fail(id, error);
    }
    const call = callOf(request, reply, { deps, version });
    await requirePermission(call.principal, permissionOf(method), {
      action: `A2A ${method}`,
      appendAudit: deps.store.appendAudit,
    });
    const problem = problemOf(method, params);
    if (problem !== undefined) return await refuse(id, A2A_ERROR_CODE.INVALID_PARAMS, problem);

    const answered: unknown = await jsonRpc(version, calls.open(call), envelope.data);
    if (!isStream(answered)) return await reply.send(answered);
    let begun: BegunStream;
    try {
      begun = await begin(answered);
    } catch (error) {
      if (error instanceof CodetetherError && error.code === 'rate-limited') throw error;
      // Clients of 0.3 read nothing but a stream where they have asked for one.
      return version === '0.3'
        ? await asStream(reply, eventStreamType).send(`data: ${JSON.stringify(failure(id, error))}\n\n`)
        : await fail(id, error);
    }
    return await sendEvents(reply, { ...begun, pingMs: deps.pingMs });
  }
}

/** @returns the response, or a stream of them */
export async function jsonRpc(
  version: SpokenVersion,
  { handler, context }: OpenCall,
  request: { readonly [member: string]: unknown },
): Promise<object> {
  const transport =
    version === '0.3' ? new LegacyJsonRpcTransportHandler(handler) : new JsonRpcTransportHandler(handler);
  return await transport.handle(request, context);
}
