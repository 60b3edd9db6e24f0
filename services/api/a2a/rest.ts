import { A2A_CONTENT_TYPE } from '@a2a-js/sdk';
import { v1MethodToLegacyGrpc, v1MethodToLegacyJsonRpc } from '@a2a-js/sdk/compat/v0_3';
import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { toLegacyHTTPError } from '@a2a-js/sdk/compat/v0_3/server';
import {
  A2AError,
  ContentTypeNotSupportedError,
  RequestMalformedError,
  fromJsonRpcErrorResponse,
  restStatusFor,
  toRestErrorBody,
} from '@a2a-js/sdk/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { requireShape, requireSpoken } from './calls.ts';
import type { Calls, OpenCall, SpokenVersion } from './calls.ts';
import { callOf, isJson, parsedBody, versionOf } from './http-call.ts';
import { jsonRpc } from './json-rpc.ts';
import { performLegacy } from './legacy-messages.ts';
import { methods, perform } from './methods.ts';
import type { MethodName } from './methods.ts';
import { bytesOfJson, jsonOfBytes, legacyTypes } from './protocol-buffers.ts';
import { begin, isStream, sendEvents } from './server-sent-events.ts';

/** Which request and answer a path stands for. */
export interface Binding {
  /** Of a request that names none. */
  readonly otherwise: SpokenVersion;
  readonly spoken: readonly SpokenVersion[];
  /** 0.3 in the JSON of its JSON-RPC, as the original takes it, instead of that of its protocol buffers. */
  readonly asOriginal?: true;
}

export type RestAnswer = (
  request: FastifyRequest,
  reply: FastifyReply,
  asked: { readonly method: MethodName; readonly binding: Binding },
) => Promise<FastifyReply>;

const statuses: { readonly [method: string]: number } = {
  CreateTaskPushNotificationConfig: 201,
  DeleteTaskPushNotificationConfig: 204,
};

/** A2A over REST, each method by the binding that its path stands for. */
export function answerRest(deps: ApiDeps, calls: Calls): RestAnswer {
  return answer;

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    { method, binding }: { readonly method: MethodName; readonly binding: Binding },
  ): Promise<FastifyReply> {
    const named = versionOf(request, binding.otherwise);
    try {
      const version = requireSpoken(named, binding.spoken);
      const asked = requestOf(request, method);
      const opened = calls.open(callOf(request, reply, { deps, version }));
      const answered = await answerOf(method, asked, { version, opened, binding });
      if (isStream(answered)) return await sendEvents(reply, { ...(await begin(answered)), pingMs: deps.pingMs });
      const status = statuses[method] ?? 200;
      if (status === 204) return await reply.code(status).send();
      return await reply
        .code(status)
        .type(typeOf(version))
        .send(Buffer.from(JSON.stringify(answered)));
    } catch (error) {
      if (!(error instanceof A2AError)) throw error;
      const status = restStatusFor(error);
      const body = named === '0.3' ? toLegacyHTTPError(error) : toRestErrorBody(error, status);
      return await reply
        .code(status)
        .type(typeOf(named))
        .send(Buffer.from(JSON.stringify(body)));
    }
  }
}

function typeOf(version: string): string {
  return version === '0.3' ? 'application/json' : A2A_CONTENT_TYPE;
}

interface Asked {
  readonly taskId: string | undefined;
  readonly configId: string | undefined;
  /** Of the query and the body. */
  readonly members: { readonly [name: string]: unknown };
}

function requestOf(request: FastifyRequest, method: MethodName): Asked {
  if (request.body !== undefined && request.body !== '' && !isJson(request))
    throw new ContentTypeNotSupportedError('send application/a2a+json or application/json');
  const isEmpty = request.body === undefined || request.body === '';
  const body = isEmpty ? {} : parsedBody(request);
  if (body === undefined) throw new RequestMalformedError('the body is no JSON');
  if (typeof body !== 'object' || Array.isArray(body)) throw new RequestMalformedError('the body is no object');
  const { id, configId } = request.params as { readonly id?: string; readonly configId?: string };
  const query = method === 'GetTask' || method === 'ListTasks' ? queryOf(request) : {};
  return { taskId: id, configId, members: { ...query, ...body } };
}

/** Numbers and flags are texts there; what is none of them is refused by its shape. */
function queryOf({ query }: FastifyRequest): { readonly [name: string]: unknown } {
  const entries = Object.entries(Object(query) as { readonly [name: string]: unknown });
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const own = name === 'history_length' ? 'historyLength' : name;
      if (own === 'includeArtifacts') return [own, value === 'true'];
      const isNumber = ['historyLength', 'pageSize'].includes(own) && /^-?\d+$/.test(String(value));
      return [own, isNumber ? Number(value) : value];
    }),
  );
}

async function answerOf(
  method: MethodName,
  asked: Asked,
  {
    version,
    opened,
    binding,
  }: { readonly version: SpokenVersion; readonly opened: OpenCall; readonly binding: Binding },
): Promise<unknown> {
  if (version === '1.0') return await answerOfCurrent(method, asked, opened);
  return binding.asOriginal === true
    ? await answerAsOriginal(method, asked, opened)
    : await answerOfLegacy(method, asked, opened);
}

async function answerOfCurrent(method: MethodName, { taskId, configId, members }: Asked, opened: OpenCall) {
  const { request, response } = methods[method];
  const ofConfig = method.includes('PushNotification');
  const params = {
    ...members,
    ...(taskId === undefined ? {} : ofConfig ? { taskId } : { id: taskId }),
    ...(configId === undefined ? {} : { id: configId }),
  };
  requireShape(method, params);
  const answered = await perform(method, request.fromJSON(params), opened);
  const json = (message: object): unknown => response.toJSON(message as never);
  if (isStream(answered)) return mapped(answered as AsyncIterable<object>, json);
  return method === 'ListTasks' ? listed(json(answered)) : json(answered);
}

/** Empty lists and texts of a list are required members; the SDK's codec leaves them out. */
function listed(json: unknown): object {
  return { tasks: [], nextPageToken: '', pageSize: 0, totalSize: 0, ...Object(json) };
}

/** By the calls of gRPC, whose messages the JSON stands for. */
async function answerOfLegacy(method: MethodName, { taskId, configId, members }: Asked, opened: OpenCall) {
  const rpc = v1MethodToLegacyGrpc(method);
  const name = `${rpc[0]?.toLowerCase() ?? ''}${rpc.slice(1)}`;
  const { requestDeserialize, responseSerialize } = LegacyA2AService[name as keyof typeof LegacyA2AService];
  const types = legacyTypes(rpc);
  const task = `tasks/${taskId ?? ''}`;
  const json =
    taskId === undefined
      ? members
      : method === 'CreateTaskPushNotificationConfig'
        ? { ...('config' in members ? members : { config: members }), parent: task }
        : method === 'ListTaskPushNotificationConfigs'
          ? { parent: task }
          : { ...members, name: configId === undefined ? task : `${task}/pushNotificationConfigs/${configId}` };
  let request: object;
  try {
    request = requestDeserialize(bytesOfJson(types.request, json));
  } catch (error) {
    throw new RequestMalformedError(error instanceof Error ? error.message : String(error));
  }
  const answered = await performLegacy(name, request, opened);
  const jsonOf = (message: object): unknown => jsonOfBytes(types.response, responseSerialize(message as never));
  return isStream(answered) ? mapped(answered as AsyncIterable<object>, jsonOf) : jsonOf(answered);
}

async function answerAsOriginal(method: MethodName, { taskId, configId, members }: Asked, opened: OpenCall) {
  const name = v1MethodToLegacyJsonRpc(method);
  const params = {
    ...members,
    ...(taskId === undefined
      ? {}
      : method === 'CreateTaskPushNotificationConfig'
        ? { taskId }
        : { id: taskId, ...(configId === undefined ? {} : { pushNotificationConfigId: configId }) }),
  };
  requireShape(name, params);
  const answered = await jsonRpc('0.3', opened, { jsonrpc: '2.0', id: 1, method: name, params });
  return isStream(answered) ? mapped(answered, resultOf) : resultOf(answered);
}

function resultOf(answered: unknown): unknown {
  const { result, error } = answered as { readonly result?: unknown; readonly error?: unknown };
  if (error !== undefined) throw fromJsonRpcErrorResponse(answered as never);
  return result;
}

async function* mapped<T>(items: AsyncIterable<T>, as: (item: T) => unknown): AsyncGenerator<unknown, void, undefined> {
  for await (const item of items) yield as(item);
}
