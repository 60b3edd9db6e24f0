import type { RunCommand } from '../process/run-command.ts';
import { startLanguageServer, type LanguageServer } from './language-server.ts';
import { findServerProgram, type ServerProgram } from './server-programs.ts';

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

interface Entry {
  readonly workspaceId: string;
  readonly stop: AbortController;
  readonly starting: Promise<LanguageServer>;
  server: LanguageServer | undefined;
  lastUsedMs: number;
}

const defaultMaxServers = 8;
const defaultIdleMs = 10 * 60_000;
const startTimeoutMs = 60_000;

/**
 * Language servers of this host, one for each language and workspace. The one that was not asked for the longest time makes room;
 * one that nobody asks is ended. They read the workspace and are not durable: what was lost is started again.
 */
export function createLanguageServers(options: LanguageServersOptions): LanguageServers {
  const { runCommand, processDir, path, maxServers = defaultMaxServers, idleMs = defaultIdleMs } = options;
  const entries = new Map<string, Entry>();

  const end = async (key: string, entry: Entry): Promise<void> => {
    if (entries.get(key) === entry) entries.delete(key);
    entry.stop.abort();
    const server = await entry.starting.catch(() => undefined);
    await server?.over;
  };
  const reap = (): void => {
    for (const [key, entry] of entries) if (performance.now() - entry.lastUsedMs > idleMs) void end(key, entry);
  };
  setInterval(reap, Math.min(idleMs, 30_000)).unref();

  const start = (program: ServerProgram, workspace: { readonly id: string; readonly root: string }): Entry => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), startTimeoutMs);
    const { signal } = stop;
    const starting = startLanguageServer({ program, root: workspace.root, env: {}, processDir, runCommand, signal });
    const entry: Entry = {
      workspaceId: workspace.id,
      stop,
      starting,
      server: undefined,
      lastUsedMs: performance.now(),
    };
    starting
      .finally(() => clearTimeout(timer))
      .then(
        (ready) => (entry.server = ready),
        () => undefined,
      );
    return entry;
  };

  return {
    async of(workspace, file) {
      const program = await findServerProgram(file, { root: workspace.root, path });
      if (program === undefined) return undefined;
      const key = `${workspace.id} ${program.id}`;
      let entry = entries.get(key);
      if (entry === undefined || entry.server?.isOver() === true) {
        entry = start(program, workspace);
        entries.set(key, entry);
        const oldest = [...entries].toSorted(([, a], [, b]) => a.lastUsedMs - b.lastUsedMs);
        for (const [other, older] of oldest.slice(0, Math.max(0, entries.size - maxServers))) await end(other, older);
      }
      entry.lastUsedMs = performance.now();
      try {
        return { server: await entry.starting, languageId: program.languageId };
      } catch (error) {
        await end(key, entry);
        throw error;
      }
    },
    async running(workspace, file) {
      if (![...entries.values()].some((entry) => entry.workspaceId === workspace.id)) return undefined;
      const program = await findServerProgram(file, { root: workspace.root, path });
      const entry = program === undefined ? undefined : entries.get(`${workspace.id} ${program.id}`);
      if (program === undefined || entry?.server === undefined || entry.server.isOver()) return undefined;
      return { server: entry.server, languageId: program.languageId };
    },
    async endAll(workspaceId) {
      const own = [...entries].filter(([, entry]) => entry.workspaceId === workspaceId);
      await Promise.all(own.map(([key, entry]) => end(key, entry)));
    },
  };
}
