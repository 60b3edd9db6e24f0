import type { FastifyInstance } from 'fastify';
import { expect } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import type { ApiDeps } from '../../services/api/deps.ts';
import { createLimits, defaultLimits } from '../../services/api/limits.ts';
import type { Metrics } from '../../services/api/metrics.ts';
import { createMetrics } from '../../services/api/metrics.ts';
import { serveGrpc } from '../../services/grpc/serve-grpc.ts';
import type { GrpcAddress, GrpcServer } from '../../services/grpc/serve-grpc.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { JsonRpcAnswer } from '../support/a2a-json-rpc.ts';
import { apiDeps } from './api-fixtures.ts';
import type { FakeEngine } from './api-fixtures.ts';

export const somebody = (id: string, tenant = 'default', own: readonly Permission[] = permissions): Principal => ({
  id,
  tenant,
  permissions: new Set(own),
  isLocal: false,
});

/** A call of the app's JSON-RPC; a fault of the call is an answer too. */
export async function injectJsonRpc(
  app: FastifyInstance,
  method: string,
  {
    params,
    version = '1.0',
    url = '/',
  }: { readonly params: unknown; readonly version?: string | undefined; readonly url?: string | undefined },
): Promise<JsonRpcAnswer> {
  const response = await app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', 'a2a-version': version },
    payload: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  expect(response.statusCode, response.body).toBe(200);
  return JsonRpcAnswer.parse(response.json());
}

export interface TestBindings {
  /** Of its HTTP. */
  readonly url: string;
  readonly grpc: GrpcServer;
  readonly metrics: Metrics;
  readonly engine: FakeEngine;
  close(): Promise<void>;
}

/** HTTP and gRPC as one process serves them, on free ports of loopback. */
export async function serveBindings(
  store: PostgresStore,
  overrides: Partial<ApiDeps>,
  address: Partial<GrpcAddress> = {},
): Promise<TestBindings> {
  const deps = apiDeps(store);
  const own = {
    ...deps,
    defaultModel: 'openai/x',
    limits: createLimits(defaultLimits),
    metrics: createMetrics(store.connections),
    ...overrides,
  } as ApiDeps & Parameters<typeof serveGrpc>[0];
  let url = '';
  const grpc = await serveGrpc(own, { host: '127.0.0.1', port: 0, ...address }, (authority) => ({
    origin: url,
    grpc: authority,
  }));
  const app = await createApp({ ...own, grpcAddress: grpc.port });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    grpc,
    metrics: own.metrics,
    engine: deps.engine,
    close: async () => {
      await Promise.all([app.close(), grpc.close()]);
    },
  };
}
