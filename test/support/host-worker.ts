import { spawn } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { embeddedServers } from '../../services/stack/server-environment.ts';
import { processesIn } from '../torture/invariants.ts';
import type { TestStack } from './test-stack.ts';

const program = fileURLToPath(new URL('../../bin/codetether', import.meta.url));

/** A further host of a stack, as `codetether worker` makes it on another machine. */
export interface HostWorker {
  readonly dataDir: string;
  readonly hostId: string;
  readonly pid: number;
  /** Kills the worker and all that it runs; with its data dir nothing is left of the host. */
  destroy(): Promise<void>;
  remove(): Promise<void>;
}

export async function startHostWorker(stack: TestStack): Promise<HostWorker> {
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'codetether-host-')));
  const child = spawn(program, ['worker'], {
    env: {
      ...stack.env,
      CODETETHER_DATA_DIR: dataDir,
      ...(await embeddedServers(stack.dataDir)),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  for (const deadline = Date.now() + 60_000; !said.includes('worker is ready'); await delay(50)) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`the worker did not come up: ${said}`);
  }
  const hostId = (await readFile(join(dataDir, 'host-id'), 'utf8')).trim();
  const { pid = 0 } = child;
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    for (const each of await processesIn(dataDir)) signal(Number.parseInt(each, 10), 'SIGKILL');
  };
  return {
    dataDir,
    hostId,
    pid,
    destroy: async () => {
      await kill();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
    remove: async () => {
      await kill();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
