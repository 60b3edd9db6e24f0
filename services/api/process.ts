import { serveApi } from './serve.ts';

/** Besides the time in which it is not ready; below what the local stack gives. */
const closeMs = 4_000;

/**
 * Serves until SIGTERM or SIGINT, then answers what was asked and ends the process. Rejects where it cannot serve.
 * @param onServing gets the address beyond the socket, once it is listened at
 */
export async function serveUntilTold(
  options: Parameters<typeof serveApi>[0],
  onServing: (url: string | null) => void = () => undefined,
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
  onServing(server.url);
  await Promise.all([server.prepared, closed]);
}
