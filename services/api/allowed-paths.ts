import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { isInside } from '../../activities/tools/workspace-path.ts';
import type { Principal } from '../../domain/access/permissions.ts';
import type { AccessStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';

export interface PathDeps {
  readonly store: Pick<AccessStore, 'listNamedWorkspaces'>;
  readonly hostId: string;
}

/**
 * Lets through what a principal may name: this machine's own user everything, others what lies in a named workspace of their
 * tenant on this host, and models that are no files elsewhere. Which paths there are beyond that is not told.
 * @throws `permission-denied`
 */
export async function requireAllowed(
  { store, hostId }: PathDeps,
  principal: Principal,
  named: { readonly paths: readonly (string | undefined)[]; readonly models: readonly (string | undefined)[] },
): Promise<void> {
  if (principal.isLocal) return;
  const files = named.models.flatMap((model) => /^(?:scripted|local)\/(.+)$/.exec(model ?? '')?.[1] ?? []);
  const paths = [...named.paths.filter((path) => path !== undefined), ...files];
  if (paths.length === 0) return;
  const folders = (await store.listNamedWorkspaces()).flatMap((workspace) =>
    workspace.hostId === hostId ? [workspace.folder] : [],
  );
  for (const path of paths) {
    const real = isAbsolute(path) ? await realPath(path) : undefined;
    if (real !== undefined && folders.some((folder) => isInside(folder, real))) continue;
    throw new CodetetherError('permission-denied', `${path} is in no workspace that you may use`, {
      next: 'See GET /v1/workspaces; on the machine itself: codetether workspaces add <folder>.',
    });
  }
}

/** Of a path whose end may not be there (yet). */
async function realPath(path: string): Promise<string> {
  const plain = resolve(path);
  const real = await realpath(plain).catch(() => undefined);
  if (real !== undefined) return real;
  const parent = dirname(plain);
  return parent === plain ? plain : resolve(await realPath(parent), plain.slice(parent.length).replace(/^\/+/, ''));
}
