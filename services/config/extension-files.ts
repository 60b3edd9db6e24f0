/** The files that extend codetether: where they lie, and what is in them now. */
import { createHash } from 'node:crypto';
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { repositoryTop } from '../../activities/instructions.ts';
import { isInside } from '../../activities/tools/workspace-path.ts';

export type ExtensionKind = 'settings' | 'mcp' | 'agent' | 'command' | 'skill';

export interface ExtensionFile {
  readonly kind: ExtensionKind;
  /** Absolute. */
  readonly path: string;
  /** Of the file without `.md`, of a skill its folder's. */
  readonly name: string;
  readonly text: string;
  /** It lies in a folder of another program's: `.claude`, `.agents`. */
  readonly isForeign: boolean;
  /** Of a skill: the files beside `SKILL.md`, relative to its folder, sorted. */
  readonly beside: readonly string[];
}

export interface ExtensionFiles {
  /** Those that are found first win over others of the same name. */
  readonly files: readonly ExtensionFile[];
  /** Of all that is there with the files beside skills and hooks; null where there is nothing. */
  readonly digest: string | null;
  /** Files that are not read, with the reason. */
  readonly problems: readonly string[];
}

const maxFileBytes = 256 * 1024;
const maxBesideBytes = 16 * 1024 * 1024;
const maxFiles = 1_000;
const deepest = 8;

/** Real path of the top folder of the project that a folder is in: of its repository, else the folder itself. */
export async function projectOf(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => resolve(folder));
  return (await repositoryTop(real)) ?? real;
}

/** The user's own: `agents`, `commands` and `skills` beside the config file. Links may lead anywhere. */
export async function userFiles(configFolder: string): Promise<ExtensionFiles> {
  return await collect([{ folder: configFolder, isForeign: false }], null);
}

/** Those of a project. A link that leads out of it is not followed. */
export async function projectFiles(project: string): Promise<ExtensionFiles> {
  const own = join(project, '.codetether');
  const foreign = ['.claude', '.agents'].map((name) => ({ folder: join(project, name), isForeign: true }));
  return await collect([{ folder: own, isForeign: false }, ...foreign], project);
}

interface Root {
  readonly folder: string;
  readonly isForeign: boolean;
}

async function collect(roots: readonly Root[], boundary: string | null): Promise<ExtensionFiles> {
  const read = new Reader(boundary);
  // The user's own servers are in their settings.
  if (boundary !== null)
    await read.file(join(boundary, '.mcp.json'), { kind: 'mcp', name: '.mcp.json', isForeign: true });
  for (const root of roots) {
    // The user's own settings are those of the whole program, see `config.ts`.
    if (boundary !== null && !root.isForeign) {
      await read.file(join(root.folder, 'config.yaml'), { ...root, kind: 'settings', name: 'config' });
      await read.beside(join(root.folder, 'hooks'));
    }
    for (const [kind, folder] of [
      ['agent', join(root.folder, 'agents')],
      ['command', join(root.folder, 'commands')],
    ] as const) {
      for (const name of await names(folder)) {
        if (name.endsWith('.md')) await read.file(join(folder, name), { ...root, kind, name: name.slice(0, -3) });
      }
    }
    const skills = join(root.folder, 'skills');
    for (const name of await names(skills)) await read.skill(join(skills, name), { ...root, name });
  }
  return read.result();
}

class Reader {
  readonly #boundary: string | null;
  readonly #files: ExtensionFile[] = [];
  readonly #problems: string[] = [];
  /** Hash by path. */
  readonly #hashes = new Map<string, string>();
  #isFull = false;

  constructor(boundary: string | null) {
    this.#boundary = boundary;
  }

  async file(path: string, file: Pick<ExtensionFile, 'kind' | 'name' | 'isForeign'>): Promise<void> {
    const content = await this.#read(path, maxFileBytes);
    if (content === undefined) return;
    this.#files.push({ ...file, path, text: content.toString('utf8'), beside: [] });
  }

  async skill(folder: string, file: Pick<ExtensionFile, 'name' | 'isForeign'>): Promise<void> {
    const path = join(folder, 'SKILL.md');
    const content = await this.#read(path, maxFileBytes);
    if (content === undefined) return;
    const beside = await this.beside(folder, path);
    const files = beside.map((each) => relative(folder, each)).toSorted();
    this.#files.push({ ...file, kind: 'skill', path, text: content.toString('utf8'), beside: files });
  }

  /** Takes the files of a folder and those below it into the digest. */
  async beside(folder: string, except?: string, depth = 0): Promise<string[]> {
    if (depth > deepest || this.#hashes.size >= maxFiles || !(await this.#isInside(folder))) return [];
    const found: string[] = [];
    for (const name of await names(folder)) {
      const path = join(folder, name);
      if (path === except || name === '.git') continue;
      if (await isFolder(path)) found.push(...(await this.beside(path, except, depth + 1)));
      else if ((await this.#read(path, maxBesideBytes)) !== undefined) found.push(path);
    }
    return found;
  }

  result(): ExtensionFiles {
    const entries = [...this.#hashes].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const digest = entries.length === 0 ? null : sha256(JSON.stringify(entries));
    return { files: this.#files, digest, problems: this.#problems };
  }

  async #read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    try {
      const real = await realpath(path);
      const { size, isFile } = await stat(real).then((found) => ({ size: found.size, isFile: found.isFile() }));
      if (!isFile) return undefined;
      if (this.#boundary !== null && !isInside(this.#boundary, real))
        return this.#leaveOut(path, 'is a link that leads out of the project');
      if (size > maxBytes) return this.#leaveOut(path, `is larger than ${maxBytes / 1024} KiB`);
      if (this.#hashes.size >= maxFiles) return this.#stop(path);
      const content = await readFile(real);
      this.#hashes.set(path, sha256(content));
      return content;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : this.#leaveOut(path, `cannot be read: ${code}`);
    }
  }

  /** A folder behind a link is not walked through where the link leads out. */
  async #isInside(folder: string): Promise<boolean> {
    const real = await realpath(folder).catch(() => undefined);
    return real !== undefined && (this.#boundary === null || isInside(this.#boundary, real));
  }

  #stop(path: string): undefined {
    if (this.#isFull) return undefined;
    this.#isFull = true;
    return this.#leaveOut(path, `and what comes after it are more than ${maxFiles} files`);
  }

  #leaveOut(path: string, reason: string): undefined {
    this.#problems.push(`${path}: ${reason}; it is left out`);
  }
}

/** Sorted; none where there is no such folder. */
async function names(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).toSorted((a, b) => (a < b ? -1 : 1));
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
