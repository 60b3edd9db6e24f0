import type { StreamResponse } from '@a2a-js/sdk';
import { legacyGrpcToV1Method } from '@a2a-js/sdk/compat/v0_3';
import { legacyGrpcService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { GRPC_STATUS_CODE } from '@a2a-js/sdk/errors/grpc';
import { ServerCallContext } from '@a2a-js/sdk/server';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import { Metadata } from '@grpc/grpc-js';
import { legacyCard } from './agent-card.ts';
import { requireShape } from './calls.ts';
import type { OpenCall } from './calls.ts';
import { isMethod, methods, perform } from './methods.ts';
import type { MethodName } from './methods.ts';

type Service = ReturnType<typeof legacyGrpcService>;
/** A call without a stream whose request is the same. */
const twins: { readonly [name: string]: string } = {
  sendStreamingMessage: 'sendMessage',
  taskSubscription: 'cancelTask',
};
const supportedInterfaces = [{ protocolBinding: 'GRPC', protocolVersion: '0.3' }];
const taken = new Error('the request is known');

/** The method of 1.0 that a call of 0.3 asks for; `GetAgentCard` is `GetExtendedAgentCard`. */
export function methodOfLegacy(name: string): MethodName {
  const method = legacyGrpcToV1Method(`${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`);
  if (isMethod(method)) return method;
  throw new Error(`A2A 0.3 has no ${name}`);
}

/**
 * The same as {@link perform} for a message of 0.3, as the protocol buffers have it, and answers with such. The SDK translates between
 * the versions only inside of its gRPC service, so that is what is asked here.
 * @param name the call's in the SDK: `getTask`
 */
export async function performLegacy(
  name: string,
  request: object,
  call: OpenCall,
): Promise<object | AsyncIterable<object>> {
  const method = methodOfLegacy(name);
  const asked = async (params: unknown): Promise<object | AsyncIterable<object>> => {
    const wanted = withLengths(request, params);
    requireShape(method, methods[method].request.toJSON(wanted as never));
    if (method === 'GetExtendedAgentCard') return await cardOf(call);
    return await perform(method, wanted, call);
  };
  const twin = twins[name];
  if (twin === undefined) return await translated(name, request, async (params) => resultOf(await asked(params)));
  let answered: object | undefined;
  try {
    await translated(twin, request, async (params) => {
      answered = await asked(params);
      throw taken;
    });
  } catch (error) {
    if (error !== taken) throw error;
  }
  return translatedEvents(answered as AsyncIterable<StreamResponse>);
}

/** The one call of 0.3 for a card: where there is no extended one, it is the card. */
async function cardOf(call: OpenCall): Promise<object> {
  const card = await call.handler.getAgentCard();
  return card.capabilities?.extendedAgentCard === true
    ? await perform('GetExtendedAgentCard', {}, call)
    : legacyCard(card);
}

/** In 0.3 a length of 0 is one that was not given; the SDK leaves that of a message out. */
function withLengths(request: object, params: unknown): object {
  const own = Object(params) as { readonly configuration?: object };
  const asked = Object(request) as { readonly historyLength?: number; readonly configuration?: object };
  const length = (of: object | undefined): number | undefined =>
    (Object(of) as { readonly historyLength?: number }).historyLength || undefined;
  return {
    ...own,
    ...('historyLength' in asked ? { historyLength: length(asked) } : {}),
    ...(own.configuration === undefined
      ? {}
      : { configuration: { ...own.configuration, historyLength: length(asked.configuration) } }),
  };
}

/** The SDK's handler answers a message or a task as it is. */
function resultOf(answered: object): unknown {
  const { payload } = answered as { readonly payload?: { readonly value: unknown } };
  return payload === undefined ? answered : payload.value;
}

async function* translatedEvents(events: AsyncIterable<StreamResponse>): AsyncGenerator<object, void, undefined> {
  for await (const event of events) yield await translatedEvent(event);
}

async function translated(name: string, request: object, work: (params: unknown) => Promise<unknown>): Promise<object> {
  let thrown: unknown;
  const service = serviceOf(async (params) => {
    try {
      return await work(params);
    } catch (error) {
      thrown = error;
      throw error;
    }
  });
  return await new Promise((resolve, reject) => {
    const answer = (error: { readonly code: number; readonly details: string } | null, value: object): void => {
      if (error === null) resolve(value);
      else if (thrown !== undefined) reject(thrown);
      else if (error.code === GRPC_STATUS_CODE.INVALID_ARGUMENT) reject(new RequestMalformedError(error.details));
      else reject(new Error(error.details));
    };
    void callOf(service, name)({ ...callBase(), request }, answer);
  });
}

async function translatedEvent(event: StreamResponse): Promise<object> {
  const service = serviceOf(async function* () {
    yield event;
  });
  return await new Promise((resolve, reject) => {
    const call = {
      ...callBase(),
      request: { name: 'tasks/one' },
      write: resolve,
      emit: (_name: string, error: unknown) => reject(error),
      end: () => undefined,
    };
    void callOf(service, 'taskSubscription')(call);
  });
}

function serviceOf(work: (params: unknown) => unknown): Service {
  const getAgentCard = async () => ({ supportedInterfaces });
  const requestHandler = new Proxy(
    {},
    { get: (_target, method) => (method === 'getAgentCard' ? getAgentCard : work) },
  ) as A2ARequestHandler;
  return legacyGrpcService({
    requestHandler,
    userBuilder: async () => ({ isAuthenticated: true, userName: '' }),
    contextBuilder: () => new ServerCallContext({ requestedVersion: '0.3' }),
  });
}

function callOf(service: Service, name: string) {
  return service[name] as unknown as (call: object, answer?: unknown) => Promise<void>;
}

function callBase() {
  return { metadata: new Metadata(), sendMetadata: () => undefined };
}
