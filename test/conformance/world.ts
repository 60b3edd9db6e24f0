import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConformanceCard } from '../../domain/a2a/conformance.ts';
import { temporalCli } from '../support/engine.ts';
import { createTestStack, program } from '../support/test-stack.ts';
import type { KitWorld } from './kit.ts';

/** A stack of its own with what kits ask of it. */
export interface ConformanceRun {
  readonly worldOf: (kit: string) => Promise<KitWorld>;
  /** Ends all that was started, and removes the stack. */
  readonly end: () => Promise<void>;
}

interface Serving {
  /** Rejects when it does not get ready. */
  readonly url: Promise<string>;
  readonly end: () => Promise<void>;
}

const readyMs = 120_000;
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
  const servers = new Map<ConformanceCard | 'plain', Serving>();
  let token: Promise<string> | undefined;

  const serve = (what: ConformanceCard | 'plain'): Serving => {
    const profile = what === 'plain' ? [] : ['--conformance', what];
    const server = spawn(program, ['serve', '--port', '0', '--grpc-port', '0', ...profile], { env: stack.env });
    let said = '';
    for (const stream of [server.stdout, server.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-4_000)));
    const closed = once(server, 'close');
    const becomesReady = async (): Promise<string> => {
      for (const deadline = Date.now() + readyMs; ; await delay(200, undefined, { signal })) {
        const [, url] = /serving (http:[^\s,]+)/.exec(said) ?? [];
        if (url !== undefined && (await fetch(`${url}/ready`)).ok) return url;
        if (server.exitCode !== null || Date.now() > deadline)
          throw new Error(`codetether serve (${what}) does not get ready: ${said}`);
      }
    };
    return {
      url: becomesReady(),
      end: async () => {
        server.kill('SIGTERM');
        await closed;
      },
    };
  };

  const createToken = async (): Promise<string> => {
    const made = await stack.cli(['token', 'create', '--name', 'conformance', '--role', 'admin']);
    if (made.code !== 0) throw new Error(made.stderr);
    return made.stdout.trim();
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
          return await serving.url;
        },
        token: async () => await (token ??= createToken()),
        command,
        ...folders,
      };
    },
    end: async () => {
      await Promise.all([...servers.values()].map(async ({ end }) => await end()));
      await stack.remove();
    },
  };
}
