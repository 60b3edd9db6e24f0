import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { StatsQuery, StatsView, UsageQuery, UsageReport } from '../../domain/contracts/stats.ts';
import { addUsage, noUsage } from '../../domain/run/budget.ts';
import type { ApiDeps } from './deps.ts';

const dayMs = 86_400_000;
const usualDays = 29;

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

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

    app.get(
      '/v1/usage',
      {
        config: { permission: 'runs:read', summary: 'What models were used for and cost, by day' },
        schema: { querystring: UsageQuery, response: { 200: UsageReport } },
      },
      async ({ query }) => {
        const until = query.until ?? dayOf(Date.now());
        const since = query.since ?? dayOf(Date.parse(until) - usualDays * dayMs);
        const used = await store.readUsage({ since, until });
        const total = {
          requests: used.reduce((sum, { requests }) => sum + requests, 0),
          ...used.reduce(addUsage, noUsage),
        };
        return { since, until, total, days: used };
      },
    );
  };
}
