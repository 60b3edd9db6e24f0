/** Foreign MCP clients, as they are: the second release in both eras of the protocol, and the first release. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as FirstStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as FirstHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export const mcpClients = ['v2 modern', 'v2 legacy', 'v1'] as const;
export type McpClientKind = (typeof mcpClients)[number];

export type McpServerPlace =
  | { readonly kind: 'http'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly kind: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };

interface Called {
  readonly isError: boolean;
  readonly text: string;
  /** Validated by the client against the tool's output schema. */
  readonly value: unknown;
}

export interface TestMcpClient {
  readonly call: (
    name: string,
    input?: Record<string, unknown>,
    options?: { readonly onProgress?: (message: string) => void; readonly signal?: AbortSignal },
  ) => Promise<Called>;
  readonly tools: () => Promise<readonly Record<string, unknown>[]>;
  readonly resources: () => Promise<readonly { readonly uri: string }[]>;
  readonly read: (uri: string) => Promise<string>;
  readonly prompt: (name: string, given: Record<string, string>) => Promise<string>;
  readonly complete: (uri: string, argument: string, value: string) => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

const longMs = 120_000;

export async function connectMcpClient(kind: McpClientKind, place: McpServerPlace): Promise<TestMcpClient> {
  const client = await (kind === 'v1' ? connectFirst(place) : connectSecond(kind, place));
  // The two releases have the same methods, with types of their own.
  const asked = client as unknown as Client;
  // So that it checks what tools answer.
  await asked.listTools();
  return {
    call: async (name, input = {}, { onProgress, signal } = {}) => {
      const options = {
        timeout: longMs,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined
          ? {}
          : { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message ?? '') }),
      };
      const request = { name, arguments: input };
      const result = await (kind === 'v1'
        ? (client as unknown as FirstClient).callTool(request, undefined, options)
        : asked.callTool(request, options));
      const [first] = result.content as readonly { readonly text?: string }[];
      return { isError: result.isError === true, text: first?.text ?? '', value: result.structuredContent };
    },
    tools: async () => (await asked.listTools()).tools,
    resources: async () => (await asked.listResources()).resources,
    read: async (uri) => {
      const [first] = (await asked.readResource({ uri })).contents;
      return first !== undefined && 'text' in first ? first.text : '';
    },
    prompt: async (name, given) => {
      const { messages } = await asked.getPrompt({ name, arguments: given });
      return messages.map(({ content }) => (content.type === 'text' ? content.text : '')).join('\n');
    },
    complete: async (uri, name, value) =>
      (await asked.complete({ ref: { type: 'ref/resource', uri }, argument: { name, value } })).completion.values,
    close: async () => await asked.close(),
  };
}

async function connectSecond(kind: McpClientKind, place: McpServerPlace): Promise<Client> {
  const mode = kind === 'v2 modern' ? { pin: '2026-07-28' } : ('legacy' as const);
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode }, defaultCacheTtlMs: 0 });
  await client.connect(
    place.kind === 'http'
      ? new StreamableHTTPClientTransport(new URL(place.url), { requestInit: { headers: place.headers } })
      : new StdioClientTransport({ ...place, args: [...place.args], stderr: 'ignore' }),
  );
  return client;
}

async function connectFirst(place: McpServerPlace): Promise<FirstClient> {
  const client = new FirstClient({ name: 'test', version: '1' });
  const transport =
    place.kind === 'http'
      ? new FirstHttp(new URL(place.url), { requestInit: { headers: place.headers } })
      : new FirstStdio({ ...place, args: [...place.args], stderr: 'ignore' });
  await client.connect(transport);
  return client;
}
