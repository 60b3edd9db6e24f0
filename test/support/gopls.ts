import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const version = 'v0.23.0';

/**
 * The folder of a `gopls` program: of PATH, or built once with Go (about a minute) and kept beside the Temporal CLI's cache.
 * Undefined where there is no Go, and so nobody who would want it.
 */
export async function goplsFolder(): Promise<string | undefined> {
  const onPath = await folderOf('gopls');
  if (onPath !== undefined) return onPath;
  const go = await folderOf('go');
  if (go === undefined) return undefined;
  const cache = join(homedir(), '.cache', 'codetether', 'gopls');
  const folder = join(cache, version);
  if (await isProgram(join(folder, 'gopls'))) return folder;
  await mkdir(cache, { recursive: true });
  const building = await mkdtemp(join(cache, 'build-'));
  try {
    const env = { ...process.env, GOBIN: building, GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' };
    await execute(join(go, 'go'), ['install', `golang.org/x/tools/gopls@${version}`], { env, cwd: building });
    // Of two that build at once the first one's stays.
    await rename(building, folder).catch(() => undefined);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return folder;
}

async function folderOf(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/local/go/bin'];
  for (const folder of folders) if (await isProgram(join(folder, name))) return folder;
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
