import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';

/**
 * Removes a folder with all it holds; links in it are removed, never followed; folders made read-only too. Nothing there: nothing to do.
 * Throws `workspace-failed` when it is still there afterwards.
 */
export async function removeFolder(folder: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3, retryDelay: 50 };
  try {
    await rm(folder, options);
  } catch {
    // A folder without write permission, or a process that was still writing: both are seen to below.
    await makeWritable(folder);
    await rm(folder, options).catch(() => {});
  }
  const left = await lstat(folder).catch(() => undefined);
  if (left === undefined) return;
  throw new CodetetherError('workspace-failed', `${folder} could not be removed.`, {
    next: `Remove it yourself: rm -rf '${folder}'`,
  });
}

async function makeWritable(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  await chmod(folder, 0o700).catch(() => {});
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await makeWritable(path.join(folder, entry.name));
}
