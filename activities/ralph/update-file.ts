import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { createQueues } from '../one-at-a-time.ts';

/** Our own temporary files that are being written now. */
const writing = new Set<string>();
const inTurn = createQueues();
const maxRounds = 10;

/**
 * Changes a file that others may be changing too. `change` gets what the file holds now (null: it does not exist) and
 * gives the new content, or null to leave it; it may be called several times. The file has either its old or its new
 * content, never a part, also after a crash; its mode (and owner, where allowed) stay, a link is followed.
 * When somebody wrote the file meanwhile, `change` gets what they wrote. Temporary files are not left behind; those of
 * killed processes are removed.
 * Throws what `change` throws, `disk-full`, and Node's system errors.
 */
export async function updateFile(
  path: string,
  change: (content: Buffer | null) => Promise<string | null> | string | null,
): Promise<'written' | 'unchanged'> {
  const target = await followed(path);
  return inTurn(target, () => updateAlone(target, change));
}

async function updateAlone(
  target: string,
  change: (content: Buffer | null) => Promise<string | null> | string | null,
): Promise<'written' | 'unchanged'> {
  await sweep(target);
  for (let round = 0; round < maxRounds; round += 1) {
    const content = await contentOf(target);
    const changed = await change(content);
    if (changed === null) return 'unchanged';
    if (await replace(target, content, changed)) return 'written';
  }
  throw Object.assign(new Error(`${target} is changed by somebody else all the time`), { code: 'EBUSY' });
}

/** False when the file does not hold `expected` any more. */
async function replace(target: string, expected: Buffer | null, content: string): Promise<boolean> {
  const temporary = join(dirname(target), temporaryName(target));
  writing.add(temporary);
  try {
    await writeSynced(temporary, content, await statsOf(target));
    const now = await contentOf(target);
    const same = now === null || expected === null ? now === expected : now.equals(expected);
    if (!same) return false;
    await rename(temporary, target);
    await syncFolder(dirname(target));
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOSPC', 'EDQUOT'))
      throw new CodetetherError('disk-full', `There is no room to write ${target}.`, { cause: error });
    throw error;
  } finally {
    await rm(temporary, { force: true });
    writing.delete(temporary);
  }
}

async function writeSynced(path: string, content: string, like: Stats | undefined): Promise<void> {
  const file = await open(path, 'wx', like === undefined ? 0o666 : like.mode & 0o7777);
  try {
    await file.writeFile(content);
    if (like !== undefined) {
      // Only root may give a file away; for anybody else the file stays theirs.
      if (like.uid !== process.getuid?.()) await file.chown(like.uid, like.gid).catch(() => undefined);
      await file.chmod(like.mode & 0o7777);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function contentOf(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return join(await realpath(dirname(path)), basename(path));
  }
}

function temporaryName(target: string): string {
  return `${temporaryStart(target)}${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

function temporaryStart(target: string): string {
  return `.${basename(target)}.codetether-`;
}

/** Removes what killed processes left; another living process's file stays. */
async function sweep(target: string): Promise<void> {
  const start = temporaryStart(target);
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(start) || !name.endsWith('.tmp')) continue;
    const path = join(dirname(target), name);
    const pid = Number(name.slice(start.length).split('-')[0]);
    const inUse = pid === process.pid ? writing.has(path) : isAlive(pid);
    if (!inUse) await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
