import { createIdlePool } from '../process/idle-pool.ts';
import type { RunCommand } from '../process/run-command.ts';
import { startLanguageServer, type LanguageServer } from './language-server.ts';
import { findServerProgram } from './server-programs.ts';

export interface Serving {
  readonly server: LanguageServer;
  readonly languageId: string;
}

export interface LanguageServers {
  /** The server for a file of the workspace, started when it does not run yet; undefined when there is no program for it. Rejects when it does not start. */
  readonly of: (
    workspace: { readonly id: string; readonly root: string },
    file: string,
  ) => Promise<Serving | undefined>;
  /** The same where it runs already; else undefined. */
  readonly running: (
    workspace: { readonly id: string; readonly root: string },
    file: string,
  ) => Promise<Serving | undefined>;
  /** Ends those of a workspace. Resolves when they are over. */
  readonly endAll: (workspaceId: string) => Promise<void>;
}

export interface LanguageServersOptions {
  readonly runCommand: RunCommand;
  readonly processDir: string;
  /** Where programs are looked for. */
  readonly path: string;
  readonly maxServers?: number;
  readonly idleMs?: number;
}

const defaultMaxServers = 8;
const defaultIdleMs = 10 * 60_000;
const startTimeoutMs = 60_000;

/** Language servers of this host, one for each language and workspace, kept as {@link createIdlePool} says. They read the workspace. */
export function createLanguageServers(options: LanguageServersOptions): LanguageServers {
  const { runCommand, processDir, path, maxServers = defaultMaxServers, idleMs = defaultIdleMs } = options;
  const pool = createIdlePool<LanguageServer>({ most: maxServers, idleMs, startTimeoutMs });

  return {
    async of(workspace, file) {
      const program = await findServerProgram(file, { root: workspace.root, path });
      if (program === undefined) return undefined;
      return await pool.use(
        { workspaceId: workspace.id, key: program.id },
        (signal) => startLanguageServer({ program, root: workspace.root, env: {}, processDir, runCommand, signal }),
        async (server) => ({ server, languageId: program.languageId }),
      );
    },
    async running(workspace, file) {
      if (pool.isEmpty(workspace.id)) return undefined;
      const program = await findServerProgram(file, { root: workspace.root, path });
      if (program === undefined) return undefined;
      const server = pool.running({ workspaceId: workspace.id, key: program.id });
      return server === undefined ? undefined : { server, languageId: program.languageId };
    },
    endAll: pool.endAll,
  };
}
