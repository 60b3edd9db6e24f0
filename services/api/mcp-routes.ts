import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { ApiDeps } from './deps.ts';
import type { McpHandler } from './mcp-handler.ts';
import { mcpPath } from './protected-resource.ts';

/** Exists in the conformance profile only. */
export const mcpFixturePath = '/conformance/mcp';

/**
 * The MCP server at `/mcp`; its modules are loaded with the first request. Who may read runs may open it, and each tool needs its
 * own permission besides. In the conformance profile also the fixtures of the official kit, which reach nothing of the product.
 * @param closing is raised when the process goes down: waits end
 */
export function mcpRoutes(
  deps: Pick<ApiDeps, 'hostNames' | 'publicUrl' | 'version' | 'conformance'>,
  closing: AbortSignal,
): FastifyPluginAsync {
  return async (app) => {
    // The handler reads the body itself, and answers what is not right about it as the protocol wants it.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    serve(app, mcpPath, async () => (await import('./mcp-handler.ts')).openMcpHandler(app, { ...deps, closing }));
    if (deps.conformance === undefined) return;
    serve(app, mcpFixturePath, async () => {
      const [{ guarded }, { createFixtureHandler }] = await Promise.all([
        import('./mcp-handler.ts'),
        import('../mcp-conformance/fixture-handler.ts'),
      ]);
      return guarded(createFixtureHandler(), deps);
    });
  };
}

function serve(app: FastifyInstance, url: string, open: () => Promise<McpHandler>): void {
  let opened: Promise<McpHandler> | undefined;
  app.addHook('onClose', async () => await (await opened)?.close());
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url,
    config: { permission: 'runs:read' },
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const handler = await (opened ??= open());
      reply.hijack();
      await handler.answer(request.raw, reply.raw);
    },
  });
}
