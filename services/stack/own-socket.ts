import { chmod, lstat, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';

/** Listens at a socket that only this user can open, from its first moment; see {@link makeSocketFolder} for its folder. */
export async function listenForOwner(path: string, listen: () => Promise<unknown>): Promise<void> {
  // The file is made by the listen call; there must be no moment in which others could open it.
  const umask = process.umask(0o177);
  try {
    await listen();
  } finally {
    process.umask(umask);
  }
  await chmod(path, 0o600);
}

/**
 * Makes the folder of a socket, and makes sure that nobody else put it below `/tmp`, or could put another socket in this one's place.
 * @throws `config-invalid`
 */
export async function makeSocketFolder(socketPath: string): Promise<void> {
  const folder = dirname(socketPath);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(folder);
  const isOwn = uid === process.getuid?.() && (mode & 0o022) === 0;
  if (isOwn || !folder.startsWith('/tmp/')) return;
  throw new CodetetherError('config-invalid', `others can write in the folder of the local sockets, ${folder}`, {
    problems: [`${folder}: expected a folder of this user that nobody else can write in`],
    next: `Run chmod 700 ${folder}, or set CODETETHER_DATA_DIR to another folder.`,
  });
}
