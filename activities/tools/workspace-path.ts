import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';

const linkedFolders: readonly string[] = ['node_modules', '.venv'];

/** Where tools may go. */
export interface WorkspaceBoundary {
  /** The worktree's top folder, absolute. */
  readonly root: string;
  /**
   * The checkout whose folders of installed dependencies may be linked into the worktree; they can be read through the
   * links, never written. Null where nothing is linked.
   */
  readonly mainCheckout: string | null;
}

export interface WorkspacePath {
  /** Real path: no part of it is a symbolic link, so that nothing else is opened than what was checked. */
  readonly absolute: string;
  /** As the model knows it: relative to the workspace, `.` for its top folder. */
  readonly relative: string;
}

/**
 * The project's one path guard: the real place that a path from outside names, proven to lie in the workspace.
 * Accepts relative paths and absolute ones inside the workspace; the file itself need not exist.
 * Throws `path-outside-workspace` for anything else: `..` and links that lead out, dangling links, NUL, and for
 * `write` the repository's own `.git` and whatever lies behind a linked `node_modules` or `.venv`.
 */
export async function resolveWorkspacePath(
  boundary: WorkspaceBoundary,
  path: string,
  access: 'read' | 'write',
): Promise<WorkspacePath> {
  if (path.includes('\0')) throw refused(path.replaceAll('\0', '\\0'), 'has a NUL character in it');
  const root = await realpath(boundary.root);
  const named = resolve(root, path);
  const real = await realpathOfNew(path, named);
  if (isInside(root, real)) {
    const inside = relative(root, real);
    if (access === 'write') {
      if (inside === '') throw refused(path, 'is the workspace itself');
      if (inside.split(sep).some((part) => part.toLowerCase() === '.git'))
        throw refused(path, "belongs to git's own data, which tools do not write");
    }
    return { absolute: real, relative: inside === '' ? '.' : inside };
  }
  const linked = await behindDependencyLink({ boundary, root, named, real });
  if (linked !== null) {
    if (access === 'write')
      throw refused(path, `lies behind ${linked}, a link to the main checkout, which is read-only`);
    return { absolute: real, relative: relative(root, named) };
  }
  throw refused(
    path,
    isInside(root, named) ? 'leads out of the workspace through a link' : 'is not inside the workspace',
  );
}

/** True for `folder` itself and all below it; both must be absolute and normal. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Real path of the deepest existing ancestor, with the rest of the path (which does not exist) below it. */
async function realpathOfNew(path: string, named: string): Promise<string> {
  const missing: string[] = [];
  for (let ancestor = named; ; ancestor = dirname(ancestor)) {
    try {
      return join(await realpath(ancestor), ...missing);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ELOOP') throw refused(path, 'is a circle of links');
      // What is longer than a path can be is not there either.
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ENAMETOOLONG') throw error;
      if (await isLink(ancestor)) throw refused(path, 'is a link to something that does not exist');
    }
    if (ancestor === dirname(ancestor)) throw refused(path, 'is not inside the workspace');
    missing.unshift(basename(ancestor));
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    // Not there at all, so not a link.
    return false;
  }
}

/** The worktree's link that leads to `real`, relative to the workspace; null when none of ours does. */
async function behindDependencyLink(input: {
  readonly boundary: WorkspaceBoundary;
  readonly root: string;
  readonly named: string;
  readonly real: string;
}): Promise<string | null> {
  const { boundary, root, named, real } = input;
  if (boundary.mainCheckout === null || !isInside(root, named)) return null;
  const parts = relative(root, named).split(sep);
  const at = parts.findIndex((part) => linkedFolders.includes(part));
  if (at === -1) return null;
  const link = join(...parts.slice(0, at + 1));
  try {
    const target = await realpath(join(root, link));
    const expected = await realpath(join(boundary.mainCheckout, link));
    return target === expected && isInside(target, real) ? link : null;
  } catch {
    // One of the two does not exist: nothing is linked there.
    return null;
  }
}

function refused(path: string, reason: string): CodetetherError {
  return new CodetetherError('path-outside-workspace', `${JSON.stringify(path)} ${reason}`, {
    details: { path },
  });
}
