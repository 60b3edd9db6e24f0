import type { FastifyPluginAsync } from 'fastify';
import type { ApiDeps } from './deps.ts';
import type { McpHandler } from './mcp-handler.ts';
import { mcpPath } from './protected-resource.ts';

/**
 * The MCP server at `/mcp`; its modules are loaded with the first request. Who may read runs may open it, and each tool needs its
 * own permission besides.
 * @param closing is raised when the process goes down: waits end
 */
export function mcpRoutes(deps: Pick<ApiDeps, 'hostNames' | 'publicUrl'>, closing: AbortSignal): FastifyPluginAsync {
  return async (app) => {
    let opened: Promise<McpHandler> | undefined;
    const open = async (): Promise<McpHandler> =>
      (await import('./mcp-handler.ts')).openMcpHandler(app, { ...deps, closing });
    app.addHook('onClose', async () => await (await opened)?.close());
    // The handler reads the body itself, and answers what is not right about it as the protocol wants it.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.route({
      method: ['GET', 'POST', 'DELETE'],
      url: mcpPath,
      config: { permission: 'runs:read' },
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const handler = await (opened ??= open());
        reply.hijack();
        await handler.answer(request.raw, reply.raw);
      },
    });
  };
}
