import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { temporalArguments, temporalEnvironment } from '../../services/stack/temporal.ts';
import { temporalCli } from './engine.ts';
import { freePort } from '../../services/stack/ports.ts';

export interface TestEngine {
  /** `host:port` */
  readonly address: string;
  readonly client: Client;
  readonly connection: NativeConnection;
  stop(): Promise<void>;
}

/** A Temporal dev server as the local stack starts it, with a database file of its own and further dynamic settings. */
export async function startEngine(settings: { readonly [dynamicConfigKey: string]: number } = {}): Promise<TestEngine> {
  const path = await temporalCli();
  const folder = await mkdtemp(join(tmpdir(), 'codetether-engine-'));
  const databaseFile = join(folder, 'temporal.db');
  const [port, uiPort] = [await freePort(), await freePort()];
  const own = Object.entries(settings).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]);
  const args = [...temporalArguments({ databaseFile, port, uiPort, namespace: 'default' }), '--headless', ...own];
  const server = spawn(path, args, { stdio: 'ignore', env: temporalEnvironment(databaseFile) });
  const address = `127.0.0.1:${port}`;
  const connection = await connectWithin(60_000, () => NativeConnection.connect({ address }));
  const clientConnection = await Connection.connect({ address });
  return {
    address,
    client: new Client({ connection: clientConnection }),
    connection,
    stop: async () => {
      await clientConnection.close();
      await connection.close();
      const exited = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connectWithin<T>(timeoutMs: number, connect: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
