import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { PoolConnections } from '../store/store.ts';

/** What a process counts over all it serves and all tenants; names neither tenants nor principals. */
export interface Metrics {
  readonly contentType: string;
  /** In Prometheus' text format. */
  text(): Promise<string>;
  countRequest(request: RequestLabels & { readonly seconds: number }): void;
  countCall(call: CallLabels & { readonly seconds: number }): void;
  /** @returns what is called when the stream ends */
  openStream(): () => void;
  /** Of an event that a reader was waiting for. */
  noteEventLag(seconds: number): void;
}

interface RequestLabels {
  readonly method: string;
  /** As it was registered, so that there are only so many. */
  readonly route: string;
  readonly status: number;
}

interface CallLabels {
  /** `/package.Service/Method` of one that is served. */
  readonly method: string;
  /** Name of gRPC's status code. */
  readonly code: string;
  readonly isStream: boolean;
}

const latencyBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const lagBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export function createMetrics(connections: () => PoolConnections): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const requests = new Counter({
    name: 'codetether_api_requests_total',
    help: 'Requests that were answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'codetether_api_request_seconds',
    help: 'From a request to the end of its answer; event streams are not among them.',
    labelNames: ['method', 'route'],
    buckets: latencyBuckets,
    registers,
  });
  const calls = new Counter({
    name: 'codetether_grpc_calls_total',
    help: 'gRPC calls that have ended.',
    labelNames: ['method', 'code'],
    registers,
  });
  const callLatency = new Histogram({
    name: 'codetether_grpc_call_seconds',
    help: 'From a gRPC call to its end; streams are not among them.',
    labelNames: ['method'],
    buckets: latencyBuckets,
    registers,
  });
  const streams = new Gauge({ name: 'codetether_api_streams', help: 'Event streams that are open.', registers });
  const lag = new Histogram({
    name: 'codetether_api_event_lag_seconds',
    help: 'From an event to its reader, where one was waiting for it.',
    buckets: lagBuckets,
    registers,
  });
  const pool = new Gauge({
    name: 'codetether_api_database_connections',
    help: 'Connections of the database pool, and who waits for one.',
    labelNames: ['state'],
    registers: [],
    collect() {
      const { open, idle, waiting } = connections();
      this.set({ state: 'busy' }, open - idle);
      this.set({ state: 'idle' }, idle);
      this.set({ state: 'waiting' }, waiting);
    },
  });
  register.registerMetric(pool);
  return {
    contentType: register.contentType,
    text: async () => await register.metrics(),
    countRequest: ({ method, route, status, seconds }) => {
      requests.inc({ method, route, status });
      latency.observe({ method, route }, seconds);
    },
    countCall: ({ method, code, isStream, seconds }) => {
      calls.inc({ method, code });
      if (!isStream) callLatency.observe({ method }, seconds);
    },
    openStream: () => {
      streams.inc();
      return () => streams.dec();
    },
    noteEventLag: (seconds) => lag.observe(Math.max(0, seconds)),
  };
}

/** Counts every request, and adds `GET /metrics`. */
export function serveMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    if (String(reply.getHeader('content-type')).startsWith('text/event-stream')) return;
    metrics.countRequest({
      method: request.method,
      route,
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
  });
  app.get(
    '/metrics',
    {
      config: {
        permission: 'hosts:read',
        summary: 'What this process has counted, for Prometheus',
        answers: { 200: ['text/plain'] },
      },
    },
    async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.text()),
  );
}
