import { randomBytes, randomUUID } from 'node:crypto';
import {
  createMcpHandler,
  createRequestStateCodec,
  isLegacyRequest,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { registerAnsweringTools } from './answering-tools.ts';
import { registerAskingTools } from './asking-tools.ts';
import type { CallState } from './asking-tools.ts';
import { registerFixturePrompts } from './prompts.ts';
import { registerFixtureResources } from './resources.ts';

/** The kit ends its sessions; of those that nobody ends the oldest go. */
const mostSessions = 100;
const sessionHeader = 'mcp-session-id';

export interface FixtureHandler {
  readonly fetch: (request: Request) => Promise<Response>;
  readonly close: () => Promise<void>;
}

/**
 * What `@modelcontextprotocol/conformance` wants to find on a server: tools, resources and prompts that do nothing but speak the
 * protocol. Revision 2026-07-28 without sessions, as it is; those before it with sessions, which live in this process.
 */
export function createFixtureHandler(): FixtureHandler {
  const states = createRequestStateCodec<CallState>({ key: randomBytes(32) });
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const createServer = (): McpServer => {
    const listChanged = true;
    const server = new McpServer(
      { name: 'codetether-conformance', version: '1' },
      {
        capabilities: {
          tools: { listChanged },
          resources: { listChanged, subscribe: true },
          prompts: { listChanged },
          completions: {},
          logging: {},
        },
        requestState: { verify: states.verify },
      },
    );
    registerAnsweringTools(server, current.notify);
    registerAskingTools(server, states);
    registerFixtureResources(server);
    registerFixturePrompts(server);
    return server;
  };
  const current = createMcpHandler(createServer, { legacy: 'reject' });

  const openSession = async (): Promise<WebStandardStreamableHTTPServerTransport> => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (sessionId) => {
        sessions.set(sessionId, transport);
        const [[oldest, first] = []] = sessions;
        if (sessions.size <= mostSessions || oldest === undefined) return;
        sessions.delete(oldest);
        void first?.close();
      },
      onsessionclosed: (sessionId) => void sessions.delete(sessionId),
    });
    await createServer().connect(transport);
    return transport;
  };

  return {
    fetch: async (request) => {
      if (!(await isLegacyRequest(request))) return await current.fetch(request);
      const sessionId = request.headers.get(sessionHeader);
      const transport = sessionId === null ? await openSession() : sessions.get(sessionId);
      if (transport !== undefined) return await transport.handleRequest(request);
      const error = { code: -32_001, message: 'there is no such session' };
      return Response.json({ jsonrpc: '2.0', error, id: null }, { status: 404 });
    },
    close: async () => {
      await current.close();
      await Promise.all([...sessions.values()].map(async (transport) => await transport.close()));
    },
  };
}
