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
import type { ApiDeps } from './deps.ts';
import { pageOfAll, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';
import { createReadiness } from './readiness.ts';
import { hostView, isAlive } from './views.ts';

const ListQuery = z.strictObject(pageQuery);

export function systemRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const readiness = createReadiness(deps);
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
        const answers = await readiness();
        return await reply.code(answers.ready ? 200 : 503).send(answers);
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
