import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';

/**
 * Bytes on disk of each folder in `parent`, by name. Links are not followed and files with several names are not counted, so
 * that dependencies which worktrees share cost nothing. What vanishes meanwhile counts nothing.
 */
export async function diskUsage(parent: string): Promise<ReadonlyMap<string, number>> {
  const usage = new Map<string, number>();
  for (const entry of await entriesOf(parent))
    if (entry.isDirectory()) usage.set(entry.name, await folderBytes(path.join(parent, entry.name)));
  return usage;
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of await entriesOf(next)) {
      const name = path.join(next, entry.name);
      if (entry.isDirectory()) folders.push(name);
      else if (entry.isFile()) bytes += await fileBytes(name);
    }
  }
  return bytes;
}

async function entriesOf(folder: string) {
  const entries = [];
  try {
    for await (const entry of await opendir(folder)) entries.push(entry);
  } catch {
    // It is gone, or not ours to read.
  }
  return entries;
}

async function fileBytes(file: string): Promise<number> {
  const stats = await lstat(file).catch(() => undefined);
  return stats === undefined || stats.nlink > 1 ? 0 : stats.blocks * 512;
}
