import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { StatsQuery, StatsView } from '../../domain/contracts/stats.ts';
import type { ApiDeps } from './deps.ts';

/** What models, tools and files came to, over many runs and sessions. */
export function statsRoutes({ store }: ApiDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/stats',
      {
        config: { permission: 'runs:read', summary: 'What models, tools and files came to' },
        schema: { querystring: StatsQuery, response: { 200: StatsView } },
      },
      async ({ query }) => await store.readStats(query),
    );
  };
}
