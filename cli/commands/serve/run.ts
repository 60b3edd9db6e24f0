import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ConformanceCard } from '../../../domain/a2a/conformance.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { variable } from '../../../services/config/environment.ts';
import { openContext, print, startStack } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';

export interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly hostname?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly allowPlainHttp?: boolean;
  readonly conformance?: ConformanceCard;
}

/** Serves until SIGTERM or SIGINT. */
export async function serve(options: ServeOptions): Promise<void> {
  const context = openContext();
  const { environment, dataDir } = context;
  const tls = await readTls(context, options);
  const isOwn = ['DATABASE_URL', 'TEMPORAL_ADDRESS'].every((name) => variable(environment, name) !== undefined);
  if (!isOwn) await startStack(context, 'apply');
  const servers = isOwn ? {} : await embedded(dataDir);
  const [{ loadConfig }, { serveUntilTold }] = await Promise.all([
    import('../../../services/config/config.ts'),
    import('../../../services/api/process.ts'),
  ]);
  // What is set in this shell wins over what the stack embeds.
  const whole = { ...servers, ...environment };
  const config = loadConfig({ environment: whole });
  const http = {
    host: options.hostname ?? options.host,
    port: options.port,
    tls,
    allowPlain: options.allowPlainHttp === true,
    conformance: options.conformance,
  };
  await serveUntilTold({ config, environment: whole, http, socket: isOwn ? config.apiSocket : undefined }, (url) => {
    print(context.stderr, [`serving ${url ?? config.apiSocket}   end it with Ctrl-C`]);
  });
}

async function embedded(dataDir: string): Promise<{ readonly [name: string]: string }> {
  const { embeddedServers } = await import('../../../services/stack/server-environment.ts');
  return { ...(await embeddedServers(dataDir)) };
}

async function readTls(
  { cwd }: Context,
  { tlsCert, tlsKey }: ServeOptions,
): Promise<{ readonly cert: Buffer; readonly key: Buffer } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new CodetetherError('usage', '--tls-cert and --tls-key belong together');
  }
  const read = async (flag: string, file: string): Promise<Buffer> =>
    await readFile(resolve(cwd, file)).catch((error: unknown) => {
      throw new CodetetherError('usage', `${flag} cannot be read`, { problems: [`${file}: ${String(error)}`] });
    });
  return { cert: await read('--tls-cert', tlsCert), key: await read('--tls-key', tlsKey) };
}
