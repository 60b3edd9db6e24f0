import { randomInt } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { CodetetherError } from '../../domain/errors.ts';
import { stackPaths } from './paths.ts';

export const portNames = ['postgres', 'temporal', 'temporalUi'] as const;
export type PortName = (typeof portNames)[number];

export type FixedPorts = { readonly [name in PortName]?: number };

const variableOf: { readonly [name in PortName]: string } = {
  postgres: 'CODETETHER_POSTGRES_PORT',
  temporal: 'CODETETHER_TEMPORAL_PORT',
  temporalUi: 'CODETETHER_TEMPORAL_UI_PORT',
};

/**
 * A port that is free now: the fixed one, else the one used before, else any. The choice is remembered in the data dir.
 * One process at a time.
 * @throws `port-taken` when the user fixed the port and somebody has it
 */
export async function choosePort(options: {
  readonly dataDir: string;
  readonly name: PortName;
  readonly fixed: FixedPorts;
}): Promise<number> {
  const { dataDir, name } = options;
  const fixed = options.fixed[name];
  if (fixed !== undefined) {
    if (await isFree(fixed)) return fixed;
    throw new CodetetherError('port-taken', `port ${fixed} is taken`, {
      problems: [`${variableOf[name]} says ${fixed}, and another program listens on it`],
      next: `Free the port, or let codetether choose: unset ${variableOf[name]}.`,
    });
  }
  const remembered = await readPorts(dataDir);
  const before = remembered[name];
  if (before !== undefined && (await isFree(before))) return before;
  let chosen = await freePort();
  while (Object.values(remembered).includes(chosen)) chosen = await freePort();
  await writePorts(dataDir, { ...remembered, [name]: chosen });
  return chosen;
}

/**
 * A port that is free now, and that no system gives to who asks for any (Linux from 32768 on, macOS from 49152 on): the engine
 * asks for some while it starts, and each connection gets one, so that another one would not stay free until it is used.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(15_000, 32_768);
    if (await isFree(port)) return port;
  }
  return await listenOn(0);
}

async function isFree(port: number): Promise<boolean> {
  return await listenOn(port).then(
    () => true,
    () => false,
  );
}

async function listenOn(port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

async function readPorts(dataDir: string): Promise<FixedPorts> {
  const text = await readFile(stackPaths(dataDir).portsFile, 'utf8').catch(() => '{}');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // A torn file: choose anew.
    return {};
  }
  const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  return Object.fromEntries(entries.filter(([, value]) => Number.isInteger(value)));
}

async function writePorts(dataDir: string, ports: FixedPorts): Promise<void> {
  const { portsFile } = stackPaths(dataDir);
  await writeFile(`${portsFile}.new`, `${JSON.stringify(ports)}\n`, { mode: 0o600 });
  await rename(`${portsFile}.new`, portsFile);
}
