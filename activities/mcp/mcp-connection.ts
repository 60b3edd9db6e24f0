import { addAbortListener } from 'node:events';
import type { Client, Transport } from '@modelcontextprotocol/client';
import type { Kept } from '../process/idle-pool.ts';
import type { RunCommand } from '../process/run-command.ts';
import { createLocalTransport, type LocalTransport } from './local-transport.ts';
import { limitedFetch } from './limited-fetch.ts';

/** A connection to one server, ready for calls. */
export interface McpConnection extends Kept {
  readonly client: Client;
  /** What a server that was started as a program has written besides messages: mostly why it has ended. */
  readonly said: () => string;
}

/** A server with all of its texts as they are sent: nothing of it is for a log or a model. */
export type ReadyMcpServer =
  | {
      readonly kind: 'local';
      readonly command: readonly [string, ...string[]];
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'remote'; readonly url: string; readonly headers: Readonly<Record<string, string>> };

export interface McpPlace {
  /** Where programs are started. */
  readonly root: string;
  readonly processDir: string;
  readonly runCommand: RunCommand;
}

/** A silent server of the old revisions waits for this long before it is greeted in its own way. */
const probeMs = 5_000;

/** Why a server could not be connected to, with what it has said. */
export class McpStartError extends Error {}

/**
 * Connects in the newest revision of the protocol that the server speaks. Declares nothing that a server could ask of us: no files, no
 * questions to people, no model calls. Rejects with {@link McpStartError}, and leaves nothing running then.
 */
export async function connectMcp(server: ReadyMcpServer, place: McpPlace, signal: AbortSignal): Promise<McpConnection> {
  const first = await tryToConnect(server, place, { mode: 'auto', signal });
  if (first.kind === 'connected') return first.connection;
  // One that ends at a greeting it does not know is greeted in the old way.
  const second =
    server.kind === 'local' && !signal.aborted
      ? await tryToConnect(server, place, { mode: 'legacy', signal })
      : undefined;
  if (second?.kind === 'connected') return second.connection;
  throw new McpStartError(second?.reason ?? first.reason);
}

type Tried =
  | { readonly kind: 'connected'; readonly connection: McpConnection }
  | { readonly kind: 'failed'; readonly reason: string };

async function tryToConnect(
  server: ReadyMcpServer,
  { root, processDir, runCommand }: McpPlace,
  { mode, signal }: { readonly mode: 'auto' | 'legacy'; readonly signal: AbortSignal },
): Promise<Tried> {
  // Loaded with the first server that is asked for: 13 MB that most workers never need.
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client = new Client(
    { name: 'codetether', version: '1' },
    { versionNegotiation: { mode, probe: { timeoutMs: probeMs } }, defaultCacheTtlMs: 0 },
  );
  let isOver = false;
  const closed = Promise.withResolvers<unknown>();
  const onclose = (): void => {
    isOver = true;
    closed.resolve(undefined);
  };
  Object.assign(client, { onclose });
  const local =
    server.kind === 'local'
      ? await createLocalTransport({ ...server, cwd: root, processDir, runCommand, signal })
      : undefined;
  const transport: Transport | LocalTransport =
    local ??
    new StreamableHTTPClientTransport(new URL(server.kind === 'remote' ? server.url : ''), {
      requestInit: { headers: server.kind === 'remote' ? { ...server.headers } : {} },
      fetch: limitedFetch,
    });
  const end = (): void => void client.close().catch(() => undefined);
  const said = () => local?.said() ?? '';
  try {
    await client.connect(transport, { signal });
  } catch (error) {
    await Promise.allSettled([client.close(), transport.close()]);
    const reason = signal.aborted ? 'it was not ready in time' : reasonOf(error);
    return { kind: 'failed', reason: [reason, said()].filter((part) => part !== '').join('; it said: ') };
  }
  addAbortListener(signal, end);
  const connection = { client, said, isOver: () => isOver, over: local?.over ?? closed.promise };
  return { kind: 'connected', connection };
}

/** For people. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${message}${cause}`;
}
