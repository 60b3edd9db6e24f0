import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  RestTransportFactory,
} from '@a2a-js/sdk/client';
import type { Client } from '@a2a-js/sdk/client';
import { GrpcTransportFactory } from '@a2a-js/sdk/client/grpc';
import { InterceptingCall, credentials } from '@grpc/grpc-js';
import type { ChannelCredentials, Interceptor } from '@grpc/grpc-js';
import {
  ClientFactory as LegacyClientFactory,
  DefaultAgentCardResolver as LegacyCardResolver,
  RestTransportFactory as LegacyRestTransportFactory,
} from 'a2a-js-sdk-0-3/client';
import { GrpcTransportFactory as LegacyGrpcTransportFactory } from 'a2a-js-sdk-0-3/client/grpc';

export type Binding = 'HTTP+JSON' | 'GRPC';

export function withToken(token: string): typeof fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${token}`);
    return await fetch(input, { ...init, headers });
  };
}

/** Puts the token into the metadata of each gRPC call. */
export function tokenInterceptor(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set('authorization', `Bearer ${token}`);
        next(metadata, listener);
      },
    });
}

interface Reach {
  /** Of the server's HTTP. */
  readonly url: string;
  readonly token: string;
  readonly binding: Binding;
  readonly channel?: ChannelCredentials;
}

/** A client of A2A 1.0 that speaks the binding, by the server's card. */
export async function bindingClient({ url, token, binding, channel }: Reach): Promise<Client> {
  const fetchImpl = withToken(token);
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [
        new RestTransportFactory({ fetchImpl }),
        new GrpcTransportFactory({
          grpcChannelCredentials: channel ?? credentials.createInsecure(),
          grpcCallOptions: { interceptors: [tokenInterceptor(token)] },
        }),
      ],
      preferredTransports: [binding],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
    }),
  );
  return await factory.createFromUrl(url);
}

/** The same for A2A 0.3, by the SDK of then. */
export async function legacyBindingClient({ url, token, binding, channel }: Reach) {
  const fetchImpl = withToken(token);
  const grpc = new LegacyGrpcTransportFactory({
    grpcChannelCredentials: channel ?? credentials.createInsecure(),
    grpcCallOptions: { interceptors: [tokenInterceptor(token)] },
  });
  const factory = new LegacyClientFactory({
    transports: [
      new LegacyRestTransportFactory({ fetchImpl }),
      // Of the card's `http://host:port` it dials what is behind the slashes.
      {
        protocolName: grpc.protocolName,
        create: async (address, card) => await grpc.create(address.replace(/^https?:\/\//, ''), card),
      },
    ],
    preferredTransports: [binding],
    cardResolver: new LegacyCardResolver({ fetchImpl }),
  });
  return await factory.createFromUrl(url);
}
