import { setTimeout as delay } from 'node:timers/promises';
import { LogController, fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { CodetetherError } from '../../domain/errors.ts';
import { a2aRoutes } from './a2a/a2a-routes.ts';
import { approvalRoutes } from './approval-routes.ts';
import type { ApiDeps } from './deps.ts';
import { contextRoutes } from './context-routes.ts';
import { rollbackRoutes } from './rollback-routes.ts';
import { eventRoutes } from './event-routes.ts';
import { requirePermissions } from './permissions.ts';
import { answerWithProblems } from './problems.ts';
import { reloadRoutes } from './reload-routes.ts';
import { runRoutes } from './run-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { workspaceRoutes } from './workspace-routes.ts';
import { tokenRoutes } from './token-routes.ts';
import { statsRoutes } from './stats-routes.ts';
import { storyRoutes } from './story-routes.ts';
import { systemRoutes } from './system-routes.ts';

/** How long a request waits for a database that is being prepared. */
const preparedMs = 10_000;
const longestParameter = 500;

/** The whole API without a listener. Closing it ends its event streams first. */
export async function createApp(deps: ApiDeps): Promise<FastifyInstance> {
  const app = fastify({
    // Null is http.
    https: deps.tls === undefined ? null : { ...deps.tls, minVersion: 'TLSv1.2' },
    logger: deps.log === true ? { level: 'info' } : false,
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: longestParameter },
  });
  const closing = new AbortController();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerWithProblems(app);
  if (deps.onRoute !== undefined) app.addHook('onRoute', deps.onRoute);
  requirePermissions(app, { authenticate: deps.authenticate, appendAudit: deps.store.appendAudit });
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.permission !== undefined) await waitUntilPrepared(deps);
  });
  app.addHook('preClose', async () => closing.abort());
  await app.register(systemRoutes(deps));
  await app.register(runRoutes(deps));
  await app.register(approvalRoutes(deps));
  await app.register(storyRoutes(deps));
  await app.register(rollbackRoutes(deps));
  await app.register(sessionRoutes(deps));
  await app.register(tokenRoutes(deps));
  await app.register(workspaceRoutes(deps));
  await app.register(contextRoutes(deps));
  await app.register(reloadRoutes(deps));
  await app.register(statsRoutes(deps));
  await app.register(eventRoutes(deps, closing.signal));
  await app.register(a2aRoutes(deps, closing.signal));
  return app;
}

async function waitUntilPrepared(deps: ApiDeps): Promise<void> {
  const waiting = new AbortController();
  const late = async (): Promise<never> => {
    await delay(preparedMs, undefined, { signal: waiting.signal });
    throw new CodetetherError('database-unreachable', 'PostgreSQL does not answer yet');
  };
  try {
    await Promise.race([deps.prepared, late()]);
  } finally {
    waiting.abort();
  }
}
