import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { CodetetherError } from '../../domain/errors.ts';
import { listenForOwner, makeSocketFolder } from '../stack/own-socket.ts';

/**
 * Listens on a Unix socket that only its owner can open. A socket file that a dead process left is replaced.
 * @throws `port-taken` when another process serves it, `config-invalid` when the path is something else
 */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<void> {
  await makeSocketFolder(path);
  await removeStaleSocket(path);
  await listenForOwner(path, async () => await app.listen({ path }));
}

async function removeStaleSocket(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) {
    throw new CodetetherError('config-invalid', `the API's socket cannot be made: ${path} is no socket`, {
      next: 'Set CODETETHER_API_SOCKET to a path of its own.',
    });
  }
  if (await isServed(path)) {
    throw new CodetetherError('port-taken', `another process serves the API at ${path}`, {
      next: 'codetether status says who; codetether down ends it.',
    });
  }
  await rm(path, { force: true });
}

async function isServed(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
