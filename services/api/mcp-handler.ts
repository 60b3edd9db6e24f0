import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostHeaderValidation, originValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import type { FastifyInstance } from 'fastify';
import { createClient } from '../client/client.ts';
import { createMcpServer } from '../mcp/create-server.ts';
import type { ApiDeps } from './deps.ts';
import { loopbackNames } from './protected-resource.ts';
import { inProcess } from './in-process.ts';

const credentialHeaders: readonly string[] = ['authorization', 'x-api-key'];

export interface McpHandler {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * The MCP server over Streamable HTTP, of both eras and without sessions: each request stands for itself, and any process answers
 * it. It asks the API of this process with the caller's own credential.
 */
export function openMcpHandler(
  app: FastifyInstance,
  deps: Pick<ApiDeps, 'hostNames' | 'publicUrl' | 'version'> & { readonly closing: AbortSignal },
): McpHandler {
  const { closing, version } = deps;
  const handler = createMcpHandler(({ requestInfo }) => {
    const credential = credentialOf(requestInfo?.headers ?? new Headers());
    const gone = requestInfo === undefined ? closing : AbortSignal.any([closing, requestInfo.signal]);
    return createMcpServer({ client: createClient(inProcess(app, credential)), version, closing: gone });
  });
  return guarded(handler, deps);
}

/** Pages in a browser are refused unless they are of this machine or of the public address. */
export function guarded(
  handler: Pick<McpHttpHandler, 'fetch' | 'close'>,
  { hostNames, publicUrl }: Pick<ApiDeps, 'hostNames' | 'publicUrl'>,
): McpHandler {
  const ownName = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const isHost = hostNames === undefined ? () => true : hostHeaderValidation([...hostNames, ...ownName]);
  const isOrigin = originValidation([...loopbackNames, ...ownName]);
  const serve = toNodeHandler(handler);
  return {
    answer: async (request, response) => {
      // Of a request that a server was sent it is always known; its type is that of answers too.
      const { method = 'GET', url = '/' } = request;
      if (isHost(request, response) && isOrigin(request, response))
        await serve(Object.assign(request, { method, url }), response);
    },
    close: handler.close,
  };
}

function credentialOf(headers: Headers): { readonly [name: string]: string } {
  return Object.fromEntries(
    credentialHeaders.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}
