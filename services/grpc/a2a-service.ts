import { once } from 'node:events';
import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import { Metadata } from '@grpc/grpc-js';
import type {
  MethodDefinition,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { CardAddresses } from '../api/a2a/agent-card.ts';
import { requireShape, requireSpoken, versionNamed } from '../api/a2a/calls.ts';
import type { Calls, OpenCall, SpokenVersion } from '../api/a2a/calls.ts';
import { methodOfLegacy, performLegacy } from '../api/a2a/legacy-messages.ts';
import { permissionOf } from '../api/a2a/method-permissions.ts';
import { isMethod, methods, perform } from '../api/a2a/methods.ts';
import type { MethodName } from '../api/a2a/methods.ts';
import { inTenant } from '../store/current-tenant.ts';
import { answerCall } from './answer-call.ts';
import { statusOf } from './status.ts';
import { whenGone } from './when-gone.ts';

export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** By path. */
  readonly permissions: readonly (readonly [path: string, permission: Permission])[];
}

export interface ServiceContext {
  readonly calls: Calls;
  readonly principalOf: (metadata: Metadata) => Principal;
  /** Where a caller reaches this server, by the host that it asked for. */
  readonly addresses: (authority: string) => CardAddresses;
  /** Raised when the process ends: streams end then. */
  readonly closing: AbortSignal;
}

type AnyCall = Pick<ServerUnaryCall<object, object>, 'request' | 'metadata' | 'cancelled' | 'getHost'> & {
  once(event: 'cancelled', listener: () => void): unknown;
};
type Perform = (request: object, call: OpenCall) => Promise<object | AsyncIterable<object>>;

/** A2A 1.0, 0.3, and 0.3 by the service's name in the original. */
export function a2aServices(context: ServiceContext): readonly GrpcService[] {
  const legacyMethods = (serviceName: string): readonly Offered[] =>
    Object.entries(LegacyA2AService).map(([name, definition]) => ({
      definition: { ...definition, path: definition.path.replace('A2AService', serviceName) },
      method: methodOfLegacy(name),
      perform: async (request, call) => await performLegacy(name, request, call),
    }));
  const current = Object.values(A2AService).map((definition) => {
    const method = definition.path.split('/').at(-1) ?? '';
    if (!isMethod(method)) throw new Error(`A2A 1.0 has no ${method}`);
    return { definition, method, perform: performChecked(method) };
  });
  return [
    serviceOf(current, '1.0', context),
    serviceOf(legacyMethods('A2AService'), '0.3', context),
    serviceOf(legacyMethods('A2aService'), '0.3', context),
  ];
}

/** What came as protocol buffers is held to the shapes that JSON is held to. */
function performChecked(method: MethodName): Perform {
  return async (request, call) => {
    requireShape(method, methods[method].request.toJSON(request as never));
    return await perform(method, request, call);
  };
}

interface Offered {
  readonly definition: { readonly path: string; readonly responseStream: boolean };
  readonly method: MethodName;
  readonly perform: Perform;
}

function serviceOf(offered: readonly Offered[], version: SpokenVersion, context: ServiceContext): GrpcService {
  const named = offered.map((each) => [each.definition.path.split('/').at(-1) ?? '', each] as const);
  return {
    definition: Object.fromEntries(
      named.map(([name, { definition }]) => [name, readable(definition as MethodDefinition<object, object>)]),
    ),
    implementation: Object.fromEntries(
      named.map(([name, { definition, perform: work }]) => [
        name,
        definition.responseStream ? streaming(work, version, context) : unary(work, version, context),
      ]),
    ),
    permissions: offered.map(({ definition, method }) => [definition.path, permissionOf(method)] as const),
  };
}

/** Stands for a message that is none; else it would be told as a fault of the server. */
const unreadable = {};

function readable(definition: MethodDefinition<object, object>): MethodDefinition<object, object> {
  return {
    ...definition,
    requestDeserialize: (bytes) => {
      try {
        return definition.requestDeserialize(bytes);
      } catch {
        return unreadable;
      }
    },
  };
}

function unary(work: Perform, version: SpokenVersion, context: ServiceContext) {
  return (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>): void => {
    const { principal, opened } = open(call, version, context);
    void inTenant(principal.tenant, async () => {
      await answerCall(callback, async () => await work(call.request, opened()));
    });
  };
}

function streaming(work: Perform, version: SpokenVersion, context: ServiceContext) {
  return (call: ServerWritableStream<object, object>): void => {
    const { principal, gone, opened } = open(call, version, context);
    inTenant(principal.tenant, async () => {
      await writeAll(call, (await work(call.request, opened())) as AsyncIterable<object>, gone);
      // Whoever reads asks again, and another process of the same address answers.
      if (context.closing.aborted) throw new CodetetherError('server-ending');
      call.end();
    }).catch((error: unknown) => call.emit('error', statusOf(error)));
  };
}

/** The next event is asked for when the reader has room for it. */
async function writeAll(
  call: ServerWritableStream<object, object>,
  events: AsyncIterable<object>,
  gone: AbortSignal,
): Promise<void> {
  for await (const event of events) {
    if (gone.aborted) return;
    if (call.write(event)) continue;
    await once(call, 'drain', { signal: gone }).catch(() => {
      // The reader has gone.
    });
  }
}

/** `opened` throws what is wrong with the call. */
function open(call: AnyCall, version: SpokenVersion, { calls, principalOf, addresses }: ServiceContext) {
  const principal = principalOf(call.metadata);
  const gone = whenGone(call);
  const opened = (): OpenCall => {
    if (call.request === unreadable) throw new RequestMalformedError('the message cannot be read');
    requireSpoken(versionNamed(textOf(call.metadata, 'a2a-version'), version), [version]);
    return calls.open({
      principal,
      version,
      extensions: textOf(call.metadata, 'a2a-extensions') ?? textOf(call.metadata, 'x-a2a-extensions'),
      gone,
      addresses: addresses(call.getHost()),
    });
  };
  return { principal, gone, opened };
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === 'string' ? value : undefined;
}
