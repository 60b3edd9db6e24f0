import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { CodetetherError } from '../../domain/errors.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { ensureHostId } from '../config/host-id.ts';
import { createKeyRing } from '../config/key-ring.ts';
import { isLoopback } from '../config/loopback.ts';
import { packageVersion } from '../config/version.ts';
import { currentTenant } from '../store/current-tenant.ts';
import { createStore } from '../store/store.ts';
import type { GrpcServer } from '../grpc/serve-grpc.ts';
import type { CardAddresses } from './a2a/agent-card.ts';
import { createApp } from './app.ts';
import { authenticateByToken } from './authenticate.ts';
import { createChatDeps } from './chat-deps.ts';
import { authenticateAnybody } from './conformance.ts';
import { createLimits } from './limits.ts';
import { requireSafeAddress } from './http-address.ts';
import type { HttpAddress } from './http-address.ts';
import { createMetrics } from './metrics.ts';
import { loopbackNames } from './protected-resource.ts';
import { authenticateLocal } from './permissions.ts';
import { createEditedPrdReader, createPreflight } from './preflight.ts';
import { listenOnSocket } from './socket.ts';
import { createTemporalEngine } from './temporal-engine.ts';

export interface ApiServer {
  /** Where it is served beyond the socket. */
  readonly url: string | null;
  /** `host:port` of its gRPC. */
  readonly grpc: string | null;
  /** Rejects when the database's schema cannot be brought up to date; never because it does not answer yet. */
  readonly prepared: Promise<void>;
  /** Is not ready any more; then ends event streams, answers what was asked, lets go of everything. */
  close(): Promise<void>;
}

/**
 * Serves the API on a Unix socket (for this user), at an address (for whoever has a token), or both; `/health` answers at once,
 * the rest when database and engine do.
 * @throws `config-invalid`, `port-taken` when another process serves the socket or the port
 */
export async function serveApi(options: {
  readonly config: Config;
  readonly environment: Environment;
  readonly socket?: string | undefined;
  readonly http?: HttpAddress | undefined;
}): Promise<ApiServer> {
  const { config, environment, socket, http } = options;
  if (http !== undefined) requireSafeAddress(http);
  const databaseUrl = required(config.databaseUrl, 'DATABASE_URL').reveal();
  const address = required(config.temporalAddress, 'TEMPORAL_ADDRESS');
  const namespace = config.temporalNamespace;
  const hostId = await ensureHostId(config.dataDir);
  const store = createStore({
    databaseUrl,
    ownerUrl: config.databaseOwnerUrl?.reveal(),
    applicationName: 'codetether-api',
    tenant: currentTenant,
  });
  const engine = createTemporalEngine({ address, namespace });
  const stopping = new AbortController();
  const draining = new AbortController();
  const prepared = store.prepare({ signal: stopping.signal }).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  const deps = {
    store,
    engine,
    prepared,
    ...createPreflight({ config, environment, hostId }),
    chat: createChatDeps({ config, environment, store }),
    defaultModel: config.defaultModel,
    keyRing: createKeyRing(config.secretKeys?.reveal()),
    pushHosts: config.pushHosts,
    prdFolder: join(config.dataDir, 'prds'),
    readEditedPrd: createEditedPrdReader(environment),
    ui: { uiUrl: config.temporalUiUrl ?? null, namespace },
    version: packageVersion(),
    log: true,
    metrics: createMetrics(store.connections),
    draining: draining.signal,
    limits: createLimits({ requestsPerSecond: config.requestsPerSecond, streams: config.maxStreams }),
  };
  const apps: Pick<FastifyInstance, 'close'>[] = [];
  let url: string | null = null;
  let grpc: GrpcServer | undefined;
  const close = async (): Promise<void> => {
    stopping.abort();
    draining.abort();
    // Whatever spreads requests over several of these processes sees meanwhile that this one is not ready.
    if (url !== null) await delay(config.drainSecs * 1000);
    await Promise.all([...apps, ...(grpc === undefined ? [] : [grpc])].map(async (each) => await each.close()));
    await Promise.all([store.close(), engine.close()]);
  };
  try {
    if (socket !== undefined) {
      const app = await createApp({ ...deps, authenticate: authenticateLocal });
      apps.push(app);
      await listenOnSocket(app, socket);
    }
    if (http !== undefined) {
      const authenticate = authenticateByToken(store, await tokenVerifier(config));
      const own = {
        ...deps,
        authenticate: http.conformance === undefined ? authenticate : authenticateAnybody(authenticate),
        conformance: http.conformance,
        longTaskMs: config.tckStreamingTimeout * 2500,
        tls: http.tls,
        hostNames: isLoopback(http.host) ? loopbackNames : undefined,
        publicUrl: config.publicUrl,
        oidcIssuer: config.oidcIssuer,
      };
      if (http.grpc !== undefined) {
        // Its library is loaded where it is served.
        const { serveGrpc } = await import('../grpc/serve-grpc.ts');
        grpc = await serveGrpc(own, { ...http, ...http.grpc }, (authority) => addressesBy(authority, { config, url }));
      }
      const app = await createApp({ ...own, grpcAddress: config.publicGrpc ?? grpc?.port });
      apps.push(app);
      url = await listenOnPort(app, http);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { url, grpc: http === undefined || grpc === undefined ? null : `${http.host}:${grpc.port}`, prepared, close };
}

/** Where whoever calls gRPC by that host reaches this server. */
function addressesBy(
  authority: string,
  { config, url }: { readonly config: Config; readonly url: string | null },
): CardAddresses {
  const host = URL.canParse(`http://${authority}`) ? authority : 'localhost';
  const at = new URL(url ?? 'http://localhost');
  at.hostname = new URL(`http://${host}`).hostname;
  return { origin: (config.publicUrl ?? at.href).replace(/\/+$/, ''), grpc: config.publicGrpc ?? host };
}

/** Undefined where no issuer is set: then its library is not loaded either. */
async function tokenVerifier({ oidcIssuer, oidcAudience, oidcTenantClaim }: Config) {
  if (oidcIssuer === undefined) return undefined;
  const { createOidcVerifier } = await import('./authenticate-oidc.ts');
  const audience = required(oidcAudience, 'CODETETHER_OIDC_AUDIENCE');
  return createOidcVerifier({ issuer: oidcIssuer, audience, tenantClaim: oidcTenantClaim });
}

async function listenOnPort(app: FastifyInstance, { host, port }: HttpAddress): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      throw new CodetetherError('port-taken', `another process listens at ${host}:${port}`, {
        next: 'Choose another with --port, or 0 for any that is free.',
        cause: error,
      });
    }
    throw new CodetetherError('usage', `cannot listen at ${host}:${port}: ${String(error)}`, { cause: error });
  }
}

function required<T>(value: T | undefined, variable: string): T {
  if (value !== undefined) return value;
  throw new CodetetherError('config-invalid', undefined, {
    problems: [`${variable}: is not set; the API needs it`],
    next: 'Start the API with codetether up, or set the variable.',
  });
}
