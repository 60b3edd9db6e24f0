import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { listProcesses } from './process-list.ts';
import { newToken, processesWithToken, registerGroup, tokenVariable } from './process-registry.ts';

export interface ProcessGroupOptions {
  readonly processDir: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Complete; nothing is added but the token. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdio: StdioOptions;
}

export interface GroupExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessGroup {
  readonly child: ChildProcess;
  /** The main process is over; others of its group may go on. Rejects with the system's error when it could not start. */
  readonly exited: Promise<GroupExit>;
  /** Whether any process of the group is left; those that are over and only not asked about yet do not count. */
  alive(): Promise<boolean>;
  /** SIGTERM to the whole group, SIGKILL after 2 s; resolves when the group is gone, after 4 s in any case. */
  end(): Promise<void>;
  /** Kills processes that left the group (Linux only). */
  killEscaped(): Promise<void>;
  /** Takes the group out of the registry. */
  release(): void;
}

const killAfterMs = 2000;
const giveUpAfterMs = 4000;

/** Starts a command as leader of a process group of its own, known to {@link killLeftovers} until released. */
export function startProcessGroup(options: ProcessGroupOptions): ProcessGroup {
  const token = newToken();
  const child = spawn(options.file, [...options.args], {
    cwd: options.cwd,
    env: { ...options.env, [tokenVariable]: token },
    stdio: options.stdio,
    detached: true,
  });
  const pid = child.pid;
  const release = pid === undefined ? () => {} : registerGroup(options.processDir, { pid, token });
  const exited = new Promise<GroupExit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => {
      resolve({ exitCode, signal });
    });
  });

  const send = (signal: NodeJS.Signals | 0): boolean => {
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch (error) {
      // EPERM: a member that became somebody else's (setuid); it is there, and not ours to end.
      return error instanceof Error && 'code' in error && error.code === 'EPERM';
    }
  };

  const alive = async (): Promise<boolean> => {
    if (!send(0)) return false;
    if (pid === undefined || process.platform !== 'linux') return true;
    return (await listProcesses()).some((entry) => entry.group === pid && entry.alive);
  };

  return {
    child,
    exited,
    alive,
    async end() {
      const startedAt = performance.now();
      let pauseMs = 5;
      let killed = false;
      send('SIGTERM');
      while (await alive()) {
        const waitedMs = performance.now() - startedAt;
        if (waitedMs >= giveUpAfterMs) return;
        if (waitedMs >= killAfterMs && !killed) {
          killed = true;
          send('SIGKILL');
        }
        await delay(pauseMs);
        pauseMs = Math.min(50, pauseMs * 2);
      }
    },
    async killEscaped() {
      for (const escaped of await processesWithToken(new Set([token]))) {
        try {
          process.kill(escaped.pid, 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
    },
    release,
  };
}
