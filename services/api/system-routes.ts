import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  CleanupQuery,
  CleanupView,
  HealthView,
  HostListView,
  ReadyView,
  apiVersion,
} from '../../domain/contracts/api.ts';
import { defaultTenant } from '../../domain/run/ids.ts';
import { inTenant } from '../store/current-tenant.ts';
import type { ApiDeps } from './deps.ts';
import { pageOfAll, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';
import { hostView, isAlive } from './views.ts';

const ListQuery = z.strictObject(pageQuery);

export function systemRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  let isPrepared = false;
  const notePrepared = async (): Promise<void> => {
    await deps.prepared;
    isPrepared = true;
  };
  notePrepared().catch(() => {
    // It stays unprepared; whoever prepares it says why.
  });
  return async (app) => {
    app.get(
      '/health',
      { config: { summary: 'Whether the process serves' }, schema: { response: { 200: HealthView } } },
      (): HealthView => {
        return { status: 'ok', version: deps.version, apiVersion, pid: process.pid };
      },
    );

    app.get(
      '/ready',
      {
        config: { summary: 'Whether database, engine and a worker answer' },
        schema: { response: { 200: ReadyView, 503: ReadyView } },
      },
      async (_request, reply) => {
        const [database, engine, worker] = await Promise.all([
          isPrepared ? succeeds(deps.store.ping()) : false,
          succeeds(deps.engine.ping()),
          isPrepared ? succeeds(inTenant(defaultTenant, async () => await aliveHost(deps))) : false,
        ]);
        const ready = database && engine && worker && deps.draining?.aborted !== true;
        return await reply.code(ready ? 200 : 503).send({ ready, database, engine, worker });
      },
    );

    app.get(
      '/v1/hosts',
      {
        config: { permission: 'hosts:read', summary: 'Hosts and whether they are alive' },
        schema: { querystring: ListQuery, response: { 200: HostListView } },
      },
      async (request) => {
        const now = Date.now();
        const { items, nextCursor } = pageOfAll(await deps.store.listHosts(), {
          page: request.query,
          of: [principalOf(request).tenant, 'hosts'],
          key: ({ hostId }) => hostId,
        });
        return { hosts: items.map((host) => hostView(host, now)), nextCursor };
      },
    );

    app.get(
      '/v1/cleanup',
      {
        config: { permission: 'hosts:read', summary: 'What runs that are over have left on hosts' },
        schema: { querystring: CleanupQuery, response: { 200: CleanupView } },
      },
      async ({ query }) => await cleanUp(deps, { apply: false, ...query }),
    );

    app.post(
      '/v1/cleanup',
      {
        config: { permission: 'runs:write', summary: 'Remove what runs that are over have left on hosts' },
        schema: { querystring: CleanupQuery, response: { 200: CleanupView } },
      },
      async ({ query }) => await cleanUp(deps, { apply: true, ...query }),
    );
  };
}

/** On every host that is there. */
async function cleanUp(deps: ApiDeps, asked: CleanupQuery & { readonly apply: boolean }): Promise<CleanupView> {
  const hosts = (await deps.store.listHosts()).filter((host) => isAlive(host, Date.now()));
  const results = await Promise.all(
    hosts.map(async ({ hostId }) => ({ hostId, ...(await deps.engine.cleanUp({ hostId, ...asked })) })),
  );
  return {
    entries: results.flatMap(({ hostId, entries }) => entries.map((entry) => ({ hostId, ...entry }))),
    more: results.reduce((sum, { more }) => sum + more, 0),
  };
}

async function aliveHost(deps: ApiDeps): Promise<void> {
  const hosts = await deps.store.listHosts();
  if (!hosts.some((host) => isAlive(host, Date.now()))) throw new Error('no worker was seen lately');
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch {
    // Readiness is asked for exactly to learn this.
    return false;
  }
}
