import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ConformanceCard } from '../../../domain/a2a/conformance.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { requireSafeAddress } from '../../../services/api/http-address.ts';
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
  /** False: none. */
  readonly grpc: boolean;
  readonly grpcPort: number;
  readonly grpcClientCa?: string;
}

/** Serves until SIGTERM or SIGINT. */
export async function serve(options: ServeOptions): Promise<void> {
  const context = contextOf(options);
  const { environment, dataDir } = context;
  const http = {
    host: options.hostname ?? options.host,
    port: options.port,
    tls: await readTls(context, options),
    allowPlain: options.allowPlainHttp === true,
    conformance: options.conformance,
    grpc: await grpcOf(context, options),
  };
  // Before a stack is set up for it.
  requireSafeAddress(http);
  const isOwn = ['DATABASE_URL', 'TEMPORAL_ADDRESS'].every((name) => variable(environment, name) !== undefined);
  // Whatever server this shell's commands ask: what is served is here.
  const here = { ...context, environment: { ...environment, CODETETHER_SERVER: undefined } };
  if (!isOwn) await startStack(here, 'apply');
  const servers = isOwn ? {} : await embedded(dataDir);
  const [{ loadConfig }, { serveUntilTold }] = await Promise.all([
    import('../../../services/config/config.ts'),
    import('../../../services/api/process.ts'),
  ]);
  // What is set in this shell wins over what the stack embeds.
  const whole = { ...servers, ...environment };
  const config = loadConfig({ environment: whole });
  await serveUntilTold(
    { config, environment: whole, http, socket: isOwn ? config.apiSocket : undefined },
    ({ url, grpc }) => {
      const places = [url ?? config.apiSocket, ...(grpc === null ? [] : [`gRPC at ${grpc}`]), 'end it with Ctrl-C'];
      print(context.stderr, [`serving ${places.join('   ')}`]);
    },
  );
}

/** The kits take what is pushed to them on this machine. */
function contextOf({ conformance }: ServeOptions): Context {
  const context = openContext();
  if (conformance === undefined) return context;
  return { ...context, environment: { CODETETHER_PUSH_HOSTS: '127.0.0.1:*,localhost:*', ...context.environment } };
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
  return { cert: await readPem(cwd, '--tls-cert', tlsCert), key: await readPem(cwd, '--tls-key', tlsKey) };
}

async function grpcOf({ cwd }: Context, { grpc, grpcPort, grpcClientCa, tlsCert }: ServeOptions) {
  if (grpcClientCa === undefined) return grpc ? { port: grpcPort } : undefined;
  if (!grpc) throw new CodetetherError('usage', '--grpc-client-ca and --no-grpc contradict each other');
  if (tlsCert === undefined) throw new CodetetherError('usage', '--grpc-client-ca needs --tls-cert and --tls-key');
  return { port: grpcPort, clientCa: await readPem(cwd, '--grpc-client-ca', grpcClientCa) };
}

async function readPem(cwd: string, flag: string, file: string): Promise<Buffer> {
  return await readFile(resolve(cwd, file)).catch((error: unknown) => {
    throw new CodetetherError('usage', `${flag} cannot be read`, { problems: [`${file}: ${String(error)}`] });
  });
}
