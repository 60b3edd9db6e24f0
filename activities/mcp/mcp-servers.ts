import { createHash } from 'node:crypto';
import { expandVariables, unknownMcpCalls } from '../../domain/session/mcp-servers.ts';
import type { McpCallPolicy, McpServer } from '../../domain/session/mcp-servers.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { isSecretName, type Environment } from '../process/environment.ts';
import { createIdlePool } from '../process/idle-pool.ts';
import type { RunCommand } from '../process/run-command.ts';
import { connectMcp, McpStartError, type McpConnection, type ReadyMcpServer } from './mcp-connection.ts';

export interface McpWorkspace {
  readonly id: string;
  /** Where servers are started. */
  readonly root: string;
  /** The folder whose project may name servers. */
  readonly configured: string;
}

/** A program that nobody has configured. */
export interface AskedMcpServer {
  readonly kind: 'asked';
  readonly command: readonly [string, ...string[]];
}

/** Servers that speak the Model Context Protocol, each connected to with the first call of a workspace. */
export interface McpServers {
  /** Those that the user, or the project where it is trusted, has configured. Throws `extension-invalid`. */
  readonly list: (workspace: McpWorkspace) => Promise<readonly McpServer[]>;
  /** What the user has settled for calls of a server. Never throws. */
  readonly callsOf: (server: string) => McpCallPolicy;
  /**
   * Works with the connection to a server. Whatever `work` and errors say of the server's keys is not in its result; it rejects with {@link McpStartError},
   * as `work` does, and with the signal's reason when it aborts.
   */
  readonly use: (
    workspace: McpWorkspace,
    server: McpServer | AskedMcpServer,
    work: (connection: McpConnection) => Promise<McpOutcome>,
    signal: AbortSignal,
  ) => Promise<McpOutcome>;
  /** Ends the servers of a workspace. Resolves when they are over. */
  readonly endAll: (workspaceId: string) => Promise<void>;
}

export interface McpOutcome {
  readonly ok: boolean;
  readonly output: string;
}

export interface McpServersOptions {
  readonly configured: (folder: string) => Promise<readonly McpServer[]>;
  /** Default: nothing is settled. */
  readonly callsOf?: (server: string) => McpCallPolicy;
  /** What `${NAME}` in a server's texts stands for. */
  readonly environment: Environment;
  readonly runCommand: RunCommand;
  readonly processDir: string;
  /** Over all workspaces; default 16. */
  readonly maxServers?: number;
  readonly idleMs?: number;
  /** Until it is ready for calls. */
  readonly startTimeoutMs?: number;
}

const defaultMaxServers = 16;
const defaultIdleMs = 10 * 60_000;
/** Many are fetched by their package manager with their first start. */
const defaultStartTimeoutMs = 60_000;

/** Servers of this host, one for each workspace and configuration, kept as {@link createIdlePool} says. */
export function createMcpServers(options: McpServersOptions): McpServers {
  const { configured, environment, runCommand, processDir } = options;
  const pool = createIdlePool<McpConnection>({
    most: options.maxServers ?? defaultMaxServers,
    idleMs: options.idleMs ?? defaultIdleMs,
    startTimeoutMs: options.startTimeoutMs ?? defaultStartTimeoutMs,
  });
  return {
    list: ({ configured: folder }) => configured(folder),
    callsOf: options.callsOf ?? (() => unknownMcpCalls),
    use: async ({ id, root }, server, work, signal) => {
      const { ready, secrets } = readyServer(server, environment);
      const key = createHash('sha256').update(JSON.stringify(ready)).digest('hex');
      const hide = (text: string): string =>
        secrets.reduce((shown, secret) => shown.replaceAll(secret, '[redacted]'), text);
      const place = { workspaceId: id, key };
      const start = (stop: AbortSignal) => connectMcp(ready, { root, processDir, runCommand }, stop);
      try {
        const { ok, output } = await unlessAborted(signal, () => pool.use(place, start, work));
        return { ok, output: hide(output) };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof McpStartError) throw new McpStartError(hide(error.message));
        throw error;
      }
    },
    endAll: pool.endAll,
  };
}

/** The server with the variables' values put in, and what of it nobody may see. */
function readyServer(
  server: McpServer | AskedMcpServer,
  environment: Environment,
): { readonly ready: ReadyMcpServer; readonly secrets: readonly string[] } {
  if (server.kind === 'asked') return { ready: { kind: 'local', command: server.command, env: {} }, secrets: [] };
  const missing = new Set<string>();
  const secrets = new Set<string>();
  const expand = (text: string, isSecret = false): string => {
    const expanded = expandVariables(text, (name) => environment[name]);
    for (const name of expanded.missing) missing.add(name);
    for (const [name, value] of expanded.used) if (isSecret || isSecretName(name)) secrets.add(value);
    // `Bearer <token>`: what is written out is as secret as what is not.
    if (isSecret) for (const word of expanded.text.split(/\s+/)) secrets.add(word);
    return expanded.text;
  };
  const expandAll = (texts: Readonly<Record<string, string>>, isSecret: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, expand(text, isSecret(name))]));
  const ready: ReadyMcpServer =
    server.kind === 'local'
      ? {
          kind: 'local',
          command: [expand(server.command), ...server.args.map((word) => expand(word))],
          env: expandAll(server.env, isSecretName),
        }
      : { kind: 'remote', url: expand(server.url), headers: expandAll(server.headers, () => true) };
  if (missing.size > 0)
    throw new McpStartError(
      `its configuration needs ${[...missing].join(', ')}, which this host's environment has not`,
    );
  if (ready.kind === 'remote' && !/^https?:$/.test(URL.parse(ready.url)?.protocol ?? ''))
    throw new McpStartError('its address is not one that begins with http:// or https://');
  return { ready, secrets: [...secrets].filter((secret) => secret.length >= shortestSecret) };
}

/** What is shorter is in every text. */
const shortestSecret = 6;
