import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { FixtureFileEntry } from '@copilotkit/aimock';
import { LLMock } from '@copilotkit/aimock';
import type { ModelSettings } from '../../activities/model/settings.ts';

export type ModelFixture = FixtureFileEntry;

interface ModelRequest {
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  /** In the shape of OpenAI chat, whatever the provider. */
  readonly body: unknown;
  readonly status: number;
}

export interface ModelServer {
  /** Without a path; {@link modelSettings} knows where each provider's API lies under it. */
  readonly url: string;
  /** What was asked so far, oldest first. */
  requests(): readonly ModelRequest[];
  stop(): Promise<void>;
}

/**
 * aimock (the HTTP APIs of all providers) in this process, on a free port, with the given fixtures: the first that
 * matches answers. What no fixture matches is answered with 503. Traps: a Gemini tool call needs `"finishReason": "stop"`; usage
 * is 0 except for OpenAI chat unless the fixture gives it, in the provider's own field names; `truncateAfterChunks`
 * needs `latency`; `userMessage` looks at the last user message only.
 */
export async function startModelServer(fixtures: readonly ModelFixture[]): Promise<ModelServer> {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', strict: true, logLevel: 'silent', journalMaxEntries: 0 });
  mock.addFixturesFromJSON([...fixtures]);
  await mock.start();
  return {
    url: mock.url,
    requests: () =>
      mock.getRequests().map(({ path, headers, body, response }) => ({ path, headers, body, status: response.status })),
    stop: async () => await mock.stop(),
  };
}

/** Usage in the field names of all providers. */
export function fixtureUsage(inputTokens: number, outputTokens: number) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    promptTokenCount: inputTokens,
    candidatesTokenCount: outputTokens,
  };
}

/** All providers at one server. */
export function modelSettings(url: string, key = 'sk-test-0123456789'): ModelSettings {
  const apiKey = { reveal: () => key };
  return {
    anthropic: { apiKey, baseUrl: url },
    openai: { apiKey, baseUrl: url },
    google: { apiKey, baseUrl: url },
    openaiCompatible: { apiKey, baseUrl: url },
  };
}

export interface WireRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** JSON as the provider would see it. */
  readonly body: unknown;
}

export interface WireServer {
  readonly url: string;
  requests(): readonly WireRequest[];
  stop(): Promise<void>;
}

/** A bare HTTP server, for answers that aimock does not give: `answer` gets the number of the request from 0. */
export async function startWireServer(
  answer: (response: ServerResponse, number: number) => void | Promise<void>,
): Promise<WireServer> {
  const requests: WireRequest[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((text) => {
      requests.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(text) });
      return answer(response, requests.length - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Server-sent events; an `event:` line is written for objects that have a `type`. */
export function writeEvents(response: ServerResponse, events: readonly object[], last = ''): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) {
    const type = 'type' in event ? `event: ${String(event.type)}\n` : '';
    response.write(`${type}data: ${JSON.stringify(event)}\n\n`);
  }
  response.end(last);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
