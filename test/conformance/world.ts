import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConformanceCard } from '../../domain/a2a/conformance.ts';
import { temporalCli } from '../support/engine.ts';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { KitWorld } from './kit.ts';

/** A stack of its own with what kits ask of it. */
export interface ConformanceRun {
  readonly worldOf: (kit: string) => Promise<KitWorld>;
  /** Ends all that was started, and removes the stack. */
  readonly end: () => Promise<void>;
}

const commandMs = 15 * 60_000;
/** Kits ask from one address, faster than anybody is meant to, and take what is pushed on this machine. */
const settings = {
  CODETETHER_REQUESTS_PER_SECOND: '10000',
  CODETETHER_DRAIN_SECS: '0',
  CODETETHER_PUSH_HOSTS: '127.0.0.1:*,localhost:*',
};

/** The signal ends what goes on. */
export async function startConformanceRun(options: {
  /** Is kept. */
  readonly cacheFolder: string;
  /** Where kits' reports are kept; default: nowhere. */
  readonly reportFolder: string | undefined;
  readonly signal: AbortSignal;
}): Promise<ConformanceRun> {
  const { cacheFolder, signal } = options;
  const stack = await createTestStack({ CODETETHER_TEMPORAL_CLI: await temporalCli(), ...settings });
  const reportFolder = options.reportFolder ?? join(stack.dataDir, 'reports');
  const servers = new Map<ConformanceCard | 'plain', Promise<Serving>>();
  let token: Promise<string> | undefined;

  const serve = async (what: ConformanceCard | 'plain'): Promise<Serving> => {
    const profile = what === 'plain' ? [] : ['--conformance', what];
    return await startServe(stack, { args: ['--grpc-port', '0', ...profile] });
  };

  const command: KitWorld['command'] = async ([name, ...args], { cwd, env, limitMs = commandMs } = {}) => {
    const child = spawn(name, args, {
      cwd,
      env: { ...stack.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? -1, output };
  };

  return {
    worldOf: async (kit) => {
      const folders = { cacheFolder: join(cacheFolder, kit), reportFolder: join(reportFolder, kit) };
      await Promise.all(Object.values(folders).map((folder) => mkdir(folder, { recursive: true })));
      return {
        serve: async (what) => {
          const serving = servers.get(what) ?? serve(what);
          servers.set(what, serving);
          return (await serving).url;
        },
        token: async () => await (token ??= createToken(stack, 'admin')),
        command,
        ...folders,
      };
    },
    end: stack.remove,
  };
}
