import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Larger files are read in parts only. */
export const maxWholeFileBytes = 10 * 1024 * 1024;

/** A file's text together with the way back to its bytes, so that a changed text loses nothing of the rest. */
export interface EditableText {
  readonly text: string;
  /** Encodes a text of the model, or a changed `text`, for this file. */
  readonly encode: (text: string) => Buffer;
  /** A text of the model as it would stand inside `text`. */
  readonly asInFile: (text: string) => string;
}

/**
 * Opens without following a link in the last place (paths come resolved from the path guard) and without waiting on
 * a pipe. Throws Node's system errors.
 */
export async function openForReading(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** A NUL in the first 8 KiB, as git decides it. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 8192).includes(0);
}

/**
 * UTF-8 with a byte order mark kept as a character. Bytes that are not UTF-8 are kept through an edit too:
 * such a file is taken byte by byte.
 */
export function editableText(bytes: Buffer): EditableText {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, encode: (changed) => Buffer.from(changed, 'utf8'), asInFile: (given) => given };
  } catch {
    return {
      text: bytes.toString('latin1'),
      encode: (changed) => Buffer.from(changed, 'latin1'),
      asInFile: (given) => Buffer.from(given, 'utf8').toString('latin1'),
    };
  }
}

/**
 * The file has either its old or its new content, never a part; its mode stays. Nothing is left beside it when
 * writing fails.
 */
export async function writeFileAtomically(path: string, content: Buffer | string): Promise<void> {
  const mode = await modeOf(path);
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode ?? 0o666);
    try {
      await file.writeFile(content);
      if (mode !== undefined) await file.chmod(mode);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o7777;
  } catch {
    return undefined;
  }
}

/** Names in the same folder that a person may have meant, best first; empty when the folder is not there. */
export async function similarNames(path: string): Promise<string[]> {
  const wanted = basename(path).toLowerCase();
  const stem = wanted.replace(/\.[^.]*$/, '');
  try {
    const names = await readdir(dirname(path));
    return names
      .filter((name) => {
        const lower = name.toLowerCase();
        return lower === wanted || lower.includes(stem) || stem.includes(lower.replace(/\.[^.]*$/, ''));
      })
      .slice(0, 5);
  } catch {
    return [];
  }
}
