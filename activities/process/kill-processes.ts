import { setTimeout as delay } from 'node:timers/promises';
import { listProcesses, type ProcessEntry } from './process-list.ts';

const giveUpAfterMs = 2000;

/**
 * Kills (SIGKILL) what `find` finds, also what that starts while it is being killed, and waits until all of it is gone,
 * for 2 s at the most. A process is not gone with its files and its environment, which it gives back first.
 * @returns how many processes were killed
 */
export async function killProcesses(find: () => Promise<readonly ProcessEntry[]>): Promise<number> {
  const killed = new Set<string>();
  const startedAt = performance.now();
  for (let pauseMs = 5; ; pauseMs = Math.min(50, pauseMs * 2)) {
    const found = (await find()).filter(({ alive }) => alive);
    for (const entry of found) {
      killed.add(nameOf(entry));
      kill(entry.pid);
    }
    if (found.length === 0 && !(await anyAlive(killed))) return killed.size;
    if (performance.now() - startedAt >= giveUpAfterMs) return killed.size;
    await delay(pauseMs);
  }
}

async function anyAlive(names: ReadonlySet<string>): Promise<boolean> {
  return names.size > 0 && (await listProcesses()).some((entry) => entry.alive && names.has(nameOf(entry)));
}

/** A pid alone may be somebody else's by now. */
function nameOf({ pid, startTime }: ProcessEntry): string {
  return `${pid} ${startTime}`;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
