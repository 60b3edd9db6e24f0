import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Permission } from '../../domain/access/permissions.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { CardAddresses } from '../api/a2a/agent-card.ts';
import { createCalls } from '../api/a2a/calls.ts';
import type { ApiDeps } from '../api/deps.ts';
import type { PrincipalLimits } from '../api/limits.ts';
import type { Metrics } from '../api/metrics.ts';
import { createReadiness } from '../api/readiness.ts';
import { a2aServices } from './a2a-service.ts';
import { createAdmission } from './admission.ts';
import type { GrpcPermissions } from './admission.ts';
import { addHealth } from './health.ts';
import { addReflection } from './reflection.ts';

export interface GrpcAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** PEM; absent: in clear. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** PEM of an authority: whoever connects needs a certificate of it, beside a credential. */
  readonly clientCa?: Buffer | undefined;
}

export interface GrpcServer {
  readonly port: number;
  /** By path, of every call that is served. */
  readonly permissions: GrpcPermissions;
  /** Ends streams, answers what was asked, and lets go of connections. */
  close(): Promise<void>;
}

type GrpcDeps = ApiDeps & { readonly limits: PrincipalLimits; readonly metrics: Metrics };

const mostBytes = 4 * 1024 * 1024;
const mostStreamsOfConnection = 1000;
/** A connection on which nothing comes is asked whether it is still there. */
const keepaliveMs = 30_000;
const keepaliveAnswerMs = 10_000;
/** What was asked is answered within it, or not any more. */
const graceMs = 2_000;
const healthPath = '/grpc.health.v1.Health/';
const reflection = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

/**
 * Serves A2A 1.0 and 0.3 over gRPC, health (what `/ready` says) and reflection.
 * @param addresses where a caller reaches this server, by the host that it asked for
 * @throws `port-taken`, `usage`
 */
export async function serveGrpc(
  deps: GrpcDeps,
  address: GrpcAddress,
  addresses: (authority: string) => CardAddresses,
): Promise<GrpcServer> {
  const closing = new AbortController();
  const permissions = new Map<string, Permission | 'public'>([
    [`${healthPath}Check`, 'public'],
    [`${healthPath}List`, 'public'],
    [`${healthPath}Watch`, 'runs:read'],
    ...reflection.map((path) => [path, 'runs:read'] as const),
  ]);
  const { interceptor, principalOf } = createAdmission({
    permissions,
    authenticate: deps.authenticate,
    appendAudit: deps.store.appendAudit,
    limits: deps.limits,
    metrics: deps.metrics,
    prepared: deps.prepared,
  });
  const server = new Server({
    interceptors: [interceptor],
    'grpc.max_receive_message_length': mostBytes,
    'grpc.max_concurrent_streams': mostStreamsOfConnection,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveAnswerMs,
    'grpc.enable_channelz': 0,
  });
  const calls = createCalls(deps, { closing: closing.signal, limits: deps.limits, metrics: deps.metrics });
  const names: string[] = [];
  for (const service of a2aServices({ calls, principalOf, addresses, closing: closing.signal })) {
    server.addService(service.definition, service.implementation);
    for (const [path, permission] of service.permissions) permissions.set(path, permission);
    names.push(service.permissions[0]?.[0].split('/')[1] ?? '');
  }
  const readiness = createReadiness(deps);
  addHealth(server, {
    names,
    isReady: async () => (await readiness()).ready,
    changed: deps.draining,
    closing: closing.signal,
  });
  addReflection(server);

  const port = await bind(server, address);
  return {
    port,
    permissions,
    close: async () => {
      closing.abort();
      await new Promise<void>((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      });
    },
  };
}

async function bind(server: Server, { host, port, tls, clientCa }: GrpcAddress): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          clientCa ?? null,
          [{ cert_chain: tls.cert, private_key: tls.key }],
          clientCa !== undefined,
        );
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return await new Promise((resolve, reject) => {
    server.bindAsync(where, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else if (error.message.includes('EADDRINUSE'))
        reject(
          new CodetetherError('port-taken', `another process listens at ${where}`, {
            next: 'Choose another with --grpc-port, 0 for any that is free, or --no-grpc.',
            cause: error,
          }),
        );
      else reject(new CodetetherError('usage', `cannot listen at ${where}: ${error.message}`, { cause: error }));
    });
  });
}
