import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../services/config/config.ts';
import { processEnvironment } from '../../services/config/environment.ts';
import type { Environment } from '../../services/config/environment.ts';
import { ensureStack } from '../../services/stack/ensure-stack.ts';
import type { EnsureStackOptions, StackAccess } from '../../services/stack/ensure-stack.ts';
import { ownProgram } from '../../services/stack/paths.ts';
import type { LogName, StackProgram } from '../../services/stack/paths.ts';
import { getFromSocket } from '../../services/stack/probe.ts';
import { findByArgument } from '../../services/stack/processes.ts';
import { endingOf } from '../../services/stack/endings.ts';
import { readStatus } from '../../services/stack/status.ts';
import { stopStack } from '../../services/stack/stop-stack.ts';
import { findTemporalCli } from '../../services/stack/temporal-cli.ts';

/** Real PostgreSQL and Temporal; worker and API are small stand-ins. */
const fake = fileURLToPath(new URL('stack-fake-process.ts', import.meta.url));
export const fakeProgram: StackProgram = { ...ownProgram(), worker: fake, api: fake };

export interface TestStack {
  readonly dataDir: string;
  readonly environment: Environment;
  ensure(options?: Partial<EnsureStackOptions>): Promise<StackAccess>;
  /** Of each process that runs. */
  pids(): Promise<ReadonlyMap<LogName, number>>;
  pid(name: LogName): Promise<number>;
  /** Waits until the process runs under another number than `before`. */
  untilRestarted(name: LogName, before: number): Promise<number>;
  /** What the API was started with. */
  apiEnvironment(): Promise<{ readonly [name: string]: unknown }>;
  /** Numbers of all processes that belong to the data dir, however they were started. */
  processes(): Promise<readonly number[]>;
  remove(): Promise<void>;
}

/** A data dir of its own; nothing is started yet. `folder` is put between the temporary folder and the data dir. */
export async function testStack(options: { readonly folder?: string } = {}): Promise<TestStack> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'codetether-stack-')));
  const dataDir = join(base, options.folder ?? 'data');
  const environment = { ...cleanEnvironment(), CODETETHER_DATA_DIR: dataDir };
  const pids = async (): Promise<ReadonlyMap<LogName, number>> => {
    const { processes } = await readStatus(dataDir);
    return new Map(processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid] as const])));
  };
  const pid = async (name: LogName): Promise<number> => (await pids()).get(name) ?? Number.NaN;
  return {
    dataDir,
    environment,
    ensure: async (more = {}) => await ensureStack({ environment, program: fakeProgram, ...more }),
    pids,
    pid,
    untilRestarted: async (name, before) => {
      for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
        const now = (await pids()).get(name);
        if (now !== undefined && now !== before) return now;
        await delay(20);
      }
      throw new Error(`${name} was not started again`);
    },
    apiEnvironment: async () => {
      const answer = await getFromSocket((await readStatus(dataDir)).apiSocket ?? '', '/environment', {
        timeoutMs: 5000,
      });
      const body = answer?.body as { readonly environment: { readonly [name: string]: unknown } } | undefined;
      return body?.environment ?? {};
    },
    processes: async () => {
      const found = await Promise.all([
        findByArgument(dataDir),
        ...(['postgres', 'temporal', 'worker', 'api'] as const).map((name) =>
          findByArgument(endingOf(dataDir, name).mark),
        ),
      ]);
      return found.flat();
    },
    remove: async () => {
      await stopStack(dataDir);
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** The Temporal CLI is found (at worst, built) before the tests' time runs. */
export async function prepareTemporalCli(): Promise<void> {
  const environment = processEnvironment();
  const { path } = await findTemporalCli({
    config: loadConfig({ environment }),
    environment,
    onProgress: () => undefined,
  });
  temporalCli = path;
}

let temporalCli: string | undefined;

function cleanEnvironment(): Environment {
  const names = ['PATH', 'HOME', 'LANG', 'XDG_CACHE_HOME'];
  const kept = Object.entries(processEnvironment()).filter(([name]) => names.includes(name));
  return { ...Object.fromEntries(kept), CODETETHER_TEMPORAL_CLI: temporalCli };
}
