import { LogController, fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { a2aRoutes } from './a2a-routes.ts';
import { approvalRoutes } from './approval-routes.ts';
import { chatRoutes } from './chat-routes.ts';
import type { ApiDeps } from './deps.ts';
import { contextRoutes } from './context-routes.ts';
import { rollbackRoutes } from './rollback-routes.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { drainConnections } from './drain.ts';
import { answerUnchanged } from './etags.ts';
import { eventRoutes } from './event-routes.ts';
import { answerOnce } from './idempotency.ts';
import { takeJsonBodies } from './json-bodies.ts';
import { createLimits, defaultLimits, limitRequests } from './limits.ts';
import { mcpRoutes } from './mcp-routes.ts';
import { refuseOtherMethods } from './known-methods.ts';
import { createMetrics, serveMetrics } from './metrics.ts';
import { describeRoutes } from './openapi.ts';
import { requirePermissions } from './permissions.ts';
import { waitUntilPrepared } from './prepared.ts';
import { answerWithProblems, brokenRequest, frameworkProblem } from './problems.ts';
import { challenge, serveResourceMetadata } from './protected-resource.ts';
import { ralphRoutes } from './ralph-routes.ts';
import { reloadRoutes } from './reload-routes.ts';
import { runRoutes } from './run-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { fileRoutes } from './file-routes.ts';
import { workspaceRoutes } from './workspace-routes.ts';
import { tokenRoutes } from './token-routes.ts';
import { statsRoutes } from './stats-routes.ts';
import { storyRoutes } from './story-routes.ts';
import { systemRoutes } from './system-routes.ts';

const longestParameter = 500;
/** Of all headers and the address; addresses may name ten folders. */
const headerBytes = 64 * 1024;
/** For a whole request to come in. */
const requestMs = 60_000;

/** The whole API without a listener. Closing it ends its event streams first. */
export async function createApp(deps: ApiDeps): Promise<FastifyInstance> {
  const app = fastify({
    // Null is http.
    https: deps.tls === undefined ? null : { ...deps.tls, minVersion: 'TLSv1.2', maxHeaderSize: headerBytes },
    ...(deps.tls === undefined ? { http: { maxHeaderSize: headerBytes } } : {}),
    // What comes on a connection that is still there is answered, not turned away.
    return503OnClosing: false,
    requestTimeout: requestMs,
    frameworkErrors: frameworkProblem,
    clientErrorHandler: brokenRequest,
    logger: deps.log === true ? { level: 'info' } : false,
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: longestParameter },
  });
  const closing = new AbortController();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerWithProblems(app, (request) => challenge(request, deps));
  takeJsonBodies(app);
  refuseOtherMethods(app);
  drainConnections(app, deps.draining);
  if (deps.onRoute !== undefined) app.addHook('onRoute', deps.onRoute);
  requirePermissions(app, { authenticate: deps.authenticate, appendAudit: deps.store.appendAudit });
  const limits = deps.limits ?? createLimits(defaultLimits);
  limitRequests(app, limits);
  const metrics = deps.metrics ?? createMetrics(deps.store.connections);
  describeRoutes(app, deps.version);
  serveMetrics(app, metrics);
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.permission !== undefined) await waitUntilPrepared(deps);
  });
  answerOnce(app, deps.store);
  answerUnchanged(app);
  app.addHook('preClose', async () => closing.abort());
  await app.register(systemRoutes(deps));
  await app.register(runRoutes(deps));
  await app.register(approvalRoutes(deps));
  await app.register(storyRoutes(deps));
  await app.register(rollbackRoutes(deps));
  await app.register(sessionRoutes(deps));
  await app.register(deadLetterRoutes(deps));
  await app.register(tokenRoutes(deps));
  await app.register(workspaceRoutes(deps));
  await app.register(fileRoutes(deps));
  await app.register(contextRoutes(deps));
  await app.register(reloadRoutes(deps));
  await app.register(statsRoutes(deps));
  await app.register(eventRoutes(deps, { closing: closing.signal, limits, metrics }));
  await app.register(ralphRoutes(deps));
  await app.register(chatRoutes(deps, { limits, metrics }));
  await app.register(mcpRoutes(deps, closing.signal));
  await app.register(a2aRoutes(deps, { closing: closing.signal, limits, metrics }));
  serveResourceMetadata(app, deps);
  return app;
}
