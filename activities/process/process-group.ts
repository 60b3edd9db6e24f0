import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { killProcesses } from './kill-processes.ts';
import { launchHere, type Launch, type LaunchExit, type LaunchRequest } from './launch.ts';
import { listProcesses, processesWith } from './process-list.ts';
import { newToken, tokenVariable, unregisterGroup } from './register-group.ts';

export interface ProcessGroup {
  /** The leader is over; others of its group may go on. */
  readonly exited: Promise<LaunchExit>;
  /** Whether any process of the group is left; those that are over and only not asked about yet do not count. */
  alive(): Promise<boolean>;
  /** SIGTERM to the whole group, SIGKILL after 2 s; resolves when the group is gone, after 4 s in any case. */
  end(): Promise<void>;
  /** Kills processes that left the group (Linux only); resolves when they are gone, after 2 s in any case. */
  killEscaped(): Promise<void>;
  /** Takes the group out of the registry. */
  release(): void;
}

const killAfterMs = 2000;
const giveUpAfterMs = 4000;

/**
 * Starts a program in a process group of its own, known to `killLeftovers` until released. Rejects as {@link Launch}
 * does, and with `disk-full`.
 */
export async function startProcessGroup(
  deps: { readonly processDir: string; readonly launch?: Launch },
  request: Omit<LaunchRequest, 'processDir' | 'token'>,
): Promise<ProcessGroup> {
  const { processDir, launch = launchHere } = deps;
  const token = newToken(processDir);
  const { pid, exited } = await launch({ ...request, processDir, token }).catch(refused);

  const alive = async (): Promise<boolean> => {
    if (!signalGroup(pid, 0)) return false;
    if (process.platform !== 'linux') return true;
    return (await listProcesses()).some((entry) => entry.group === pid && entry.alive);
  };

  return {
    exited,
    alive,
    async end() {
      const startedAt = performance.now();
      let pauseMs = 5;
      let killed = false;
      signalGroup(pid, 'SIGTERM');
      while (await alive()) {
        const waitedMs = performance.now() - startedAt;
        if (waitedMs >= giveUpAfterMs) return;
        if (waitedMs >= killAfterMs && !killed) {
          killed = true;
          signalGroup(pid, 'SIGKILL');
        }
        await delay(pauseMs);
        pauseMs = Math.min(50, pauseMs * 2);
      }
    },
    async killEscaped() {
      await killProcesses(async () => {
        const marked = await processesWith(tokenVariable, await listProcesses());
        return marked.filter(({ mark }) => mark === token);
      });
    },
    release() {
      unregisterGroup(processDir, pid);
    },
  };
}

function refused(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    throw new CodetetherError('disk-full', undefined, { cause: error });
  }
  throw error;
}

/** False when there is no such group. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    // EPERM: a member that became somebody else's (setuid); it is there, and not ours to end.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
