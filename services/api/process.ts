import { serveApi } from './serve.ts';
import type { ApiServer } from './serve.ts';

/** Besides the time in which it is not ready; below what the local stack gives. */
const closeMs = 4_000;

/**
 * Serves until SIGTERM or SIGINT, then answers what was asked and ends the process. Rejects where it cannot serve.
 * @param onServing gets the addresses beyond the socket, once they are listened at
 */
export async function serveUntilTold(
  options: Parameters<typeof serveApi>[0],
  onServing: (server: Pick<ApiServer, 'url' | 'grpc'>) => void = () => undefined,
): Promise<void> {
  const server = await serveApi(options);
  const closed = new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      setTimeout(() => process.exit(1), closeMs + options.config.drainSecs * 1000).unref();
      server.close().then(resolve, reject);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
  onServing(server);
  await Promise.all([server.prepared, closed]);
}
