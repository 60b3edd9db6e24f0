/** As whom PostgreSQL runs: it refuses to run as root. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, chown, lstat, readdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';

/** Who the server runs as; PostgreSQL refuses to run as root. */
export type ServerIdentity =
  | { readonly kind: 'self' }
  /** A user namespace in which our own user has another number; files stay ours. */
  | { readonly kind: 'namespace'; readonly uid: number; readonly gid: number }
  /** Another system user, which has to own the cluster. */
  | { readonly kind: 'user'; readonly uid: number; readonly gid: number };

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** Set together, when the server runs as another system user. */
  readonly uid?: number;
  readonly gid?: number;
}

/** Nothing of the user's `PG*` settings reaches the server. */
const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' } as const;

/**
 * Chooses the identity that works on this machine; asks the kernel each time (a few milliseconds, only as root).
 * @throws `stack-failed` when there is none
 */
export async function chooseIdentity(): Promise<ServerIdentity> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && hasPasswdEntry()) return { kind: 'self' };
  const inside = passwdEntries().find((entry) => entry.uid !== 0) ?? { name: 'none', uid: 1000, gid: 1000 };
  const wrapped = inNamespace({ uid: inside.uid, gid: inside.gid }, 'true', []);
  if (await succeeds(wrapped)) return { kind: 'namespace', uid: inside.uid, gid: inside.gid };
  if (!isRoot) return { kind: 'self' };
  const postgres = passwdEntries().find((entry) => entry.name === 'postgres');
  if (postgres !== undefined) return { kind: 'user', uid: postgres.uid, gid: postgres.gid };
  throw new CodetetherError('stack-failed', 'PostgreSQL cannot run as root, and there is no other way here', {
    problems: ['user namespaces are refused by the system', 'there is no system user named postgres'],
    next: 'Run codetether as another user, add a user postgres (useradd --system postgres), or set DATABASE_URL.',
  });
}

/** Options for `spawn` that go with the command. */
export function spawnOptions(server: ServerCommand): {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly uid?: number;
  readonly gid?: number;
} {
  const identity = server.uid === undefined || server.gid === undefined ? {} : { uid: server.uid, gid: server.gid };
  return { env: { ...server.env }, cwd: '/', ...identity };
}

/** The command as the identity runs it. Where that is a wrapper, the command takes the wrapper's place: same process. */
export function asIdentity(identity: ServerIdentity, command: string, args: readonly string[]): ServerCommand {
  switch (identity.kind) {
    case 'self':
      return { command, args, env: serverEnvironment };
    case 'namespace':
      return inNamespace(identity, command, args);
    case 'user':
      return { command, args, env: serverEnvironment, uid: identity.uid, gid: identity.gid };
  }
}

function inNamespace(
  inside: { readonly uid: number; readonly gid: number },
  command: string,
  args: readonly string[],
): ServerCommand {
  const map = [`--map-user=${inside.uid}`, `--map-group=${inside.gid}`];
  return { command: 'unshare', args: ['--user', ...map, '--', command, ...args], env: serverEnvironment };
}

async function succeeds(command: ServerCommand): Promise<boolean> {
  return await new Promise((resolve) => {
    execFile(command.command, [...command.args], spawnOptions(command), (error) => resolve(error === null));
  });
}

function hasPasswdEntry(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    // Node throws when the user number has no entry (containers with a random user).
    return false;
  }
}

function passwdEntries(): readonly { readonly name: string; readonly uid: number; readonly gid: number }[] {
  let text: string;
  try {
    text = readFileSync('/etc/passwd', 'utf8');
  } catch {
    // No such file: no entries.
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

/** A cluster made under another identity is handed over; nothing to do where the owner is right. */
export async function ownCluster(cluster: string, identity: ServerIdentity): Promise<void> {
  const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const owner = identity.kind === 'user' ? identity : self;
  if ((await stat(cluster)).uid === owner.uid) return;
  const names = await readdir(cluster, { recursive: true });
  for (const name of names) {
    const path = join(cluster, name);
    if (!(await lstat(path)).isSymbolicLink()) await chown(path, owner.uid, owner.gid);
  }
  await chown(cluster, owner.uid, owner.gid);
}

/**
 * Lets the server's user pass through these folders of ours (not list them) to its cluster. Nothing to do where the server
 * runs as ourselves.
 * @throws `stack-failed` when a folder further up, or the program's, stops that user
 */
export async function makeReachable(options: {
  readonly identity: ServerIdentity;
  readonly folders: readonly string[];
  readonly program: string;
}): Promise<void> {
  const { identity, folders, program } = options;
  if (identity.kind !== 'user') return;
  for (const folder of folders) await chmod(folder, (await stat(folder)).mode | 0o011);
  for (const path of [...folders, program]) {
    const { uid, gid } = identity;
    if (await succeeds({ command: 'ls', args: ['-d', path], env: serverEnvironment, uid, gid })) continue;
    throw new CodetetherError('stack-failed', 'PostgreSQL cannot run as root, and its user cannot reach its files', {
      problems: [`the system user with number ${uid} may not pass through to ${path}`],
      next: 'Put CODETETHER_DATA_DIR and the program where everybody may pass, or set DATABASE_URL.',
    });
  }
}
