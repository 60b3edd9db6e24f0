/**
 * A server that speaks the Model Context Protocol, made with the official SDK. Run as a program it serves its stdin and stdout. Its
 * arguments: `--tools <n>` for more tools, `--legacy` for one that only knows the old revisions, `--mute`, `--dead` for one that never
 * answers or ends at once, `--child <file>` starts a process, whose id it writes there.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { McpServer, WebStandardStreamableHTTPServerTransport, createMcpHandler } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

/** For `command` and `args` of a configuration. */
export const mcpServerProgram = { command: process.execPath, args: [import.meta.filename] };

const text = (said: string) => ({ content: [{ type: 'text' as const, text: said }] });

function testServer({ tools = 0 }: { readonly tools?: number } = {}): McpServer {
  const server = new McpServer({ name: 'test', version: '1' }, { instructions: 'Ask for echo first.' });
  const register = (
    name: string,
    act: (given: Record<string, string>, signal: AbortSignal) => object | Promise<object>,
    shape: Readonly<Record<string, z.ZodType>> = {},
  ) =>
    server.registerTool(name, { description: `does ${name}`, inputSchema: z.object(shape) }, async (given, context) =>
      Object.assign(text(''), await act(given as Record<string, string>, context.mcpReq.signal)),
    );
  register('echo', ({ text: said = '' }) => text(said), { text: z.string(), times: z.number().optional() });
  register('variable', ({ name = '' }) => text(process.env[name] ?? '(unset)'), { name: z.string() });
  register('pid', () => text(String(process.pid)));
  register('fail', () => ({ ...text('there is no paper'), isError: true }));
  register('large', () => text('0123456789'.repeat(10_000)));
  register('picture', () => ({
    content: [
      { type: 'image', mimeType: 'image/png', data: 'AAAA'.repeat(100) },
      { type: 'resource', resource: { uri: 'test://b', mimeType: 'application/zip', blob: 'AAAA' } },
    ],
  }));
  register('slow', async (_, signal) => {
    writeFileSync('begun', '');
    await delay(60_000, undefined, { signal }).catch(() => writeFileSync('cancelled', ''));
    return text('late');
  });
  register('crash', () => {
    process.stderr.write('out of paper\n');
    process.exit(3);
  });
  register('flood', () => {
    process.stderr.write('x'.repeat(20_000_000));
    return text('flooded');
  });
  register('garbage', () => {
    process.stdout.write('this is no message\n{"jsonrpc":\n[]\n');
    return text('said it');
  });
  register('grow', () => {
    register('grown', () => text('here I am'));
    return text('grown');
  });
  for (let index = 0; index < tools; index++) register(`tool_${index}`, () => text(`${index}`));
  server.registerResource('notes', 'test://notes', { description: 'some notes' }, () => ({
    contents: [{ uri: 'test://notes', text: 'remember the milk' }],
  }));
  server.registerResource('picture', 'test://picture', {}, () => ({
    contents: [{ uri: 'test://picture', mimeType: 'image/png', blob: 'AAAA' }],
  }));
  return server;
}

export interface HttpMcpServer {
  readonly url: string;
  /** Headers of each request. */
  readonly requests: Readonly<Record<string, unknown>>[];
  /** As after a restart: it knows no session any more. */
  forget(): void;
  close(): Promise<void>;
}

/** Of the old revisions, with sessions. */
function sessionHandler(sessions: Map<string, WebStandardStreamableHTTPServerTransport>) {
  return async (request: Request): Promise<Response> => {
    const id = request.headers.get('mcp-session-id');
    const known = id === null ? undefined : sessions.get(id);
    if (known !== undefined) return await known.handleRequest(request);
    if (id !== null) return new Response('no such session', { status: 404 });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (made) => void sessions.set(made, transport),
    });
    await testServer().connect(transport);
    return await transport.handleRequest(request);
  };
}

/** The same over Streamable HTTP; `/elsewhere` redirects to it, `/sessions` speaks the old revisions. */
export async function startHttpMcpServer(): Promise<HttpMcpServer> {
  const handler = createMcpHandler(() => testServer());
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const inSession = sessionHandler(sessions);
  const requests: Readonly<Record<string, unknown>>[] = [];
  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests.push(request.headers);
    if (request.url === '/elsewhere') {
      response.writeHead(307, { location: '/mcp' }).end();
      return;
    }
    const body = Buffer.concat(await request.toArray());
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] as const] : [],
    );
    const asked = new Request(`http://127.0.0.1${request.url}`, {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(headers),
      ...(body.length === 0 ? {} : { body }),
    });
    const answer = await (request.url === '/sessions' ? inSession(asked) : handler.fetch(asked));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    for await (const chunk of answer.body ?? []) response.write(chunk);
    response.end();
  };
  const http = createServer((request, response) => void answerTo(request, response));
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    requests,
    forget: () => sessions.clear(),
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
}

async function serve(args: readonly string[]): Promise<void> {
  const after = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const child = after('--child');
  if (child !== undefined) {
    const { pid } = spawn('sleep', ['1000'], { stdio: 'ignore' });
    writeFileSync(child, String(pid));
  }
  if (args.includes('--dead')) {
    process.stderr.write('no licence\n');
    process.exit(1);
  }
  if (args.includes('--mute')) await delay(1_000_000);
  const options = { tools: Number(after('--tools') ?? 0) };
  if (args.includes('--legacy')) await testServer(options).connect(new StdioServerTransport());
  else serveStdio(() => testServer(options));
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === import.meta.filename)
  await serve(process.argv.slice(2));
