/** A repository at GitHub or at a GitHub Enterprise server. */
export interface GithubRepository {
  /** With its port, where one is named. */
  readonly host: string;
  readonly owner: string;
  readonly name: string;
}

/**
 * The repository that the URL of a git remote names; undefined when it names none on a server.
 * `https://github.com/o/r.git`, `ssh://git@github.com/o/r`, `git@github.com:o/r.git`.
 */
export function parseRemote(url: string): GithubRepository | undefined {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? fromUrl(url) : fromScp(url);
  if (address === undefined) return undefined;
  const [owner, name, ...rest] = address.path.replace(/^\/+|\/+$/g, '').split('/');
  const plain = name?.replace(/\.git$/, '');
  if (owner === undefined || plain === undefined || rest.length > 0 || !isName(owner) || !isName(plain))
    return undefined;
  return { host: address.host === 'ssh.github.com' ? 'github.com' : address.host, owner, name: plain };
}

function fromUrl(url: string): { readonly host: string; readonly path: string } | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, host, hostname, pathname } = new URL(url);
  if (hostname === '' || !/^(https?|ssh|git\+ssh|git):$/.test(protocol)) return undefined;
  // The port of ssh or git says nothing about the API's.
  return { host: (/^https?:$/.test(protocol) ? host : hostname).toLowerCase(), path: pathname };
}

function fromScp(url: string): { readonly host: string; readonly path: string } | undefined {
  const match = /^(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!\/\/)(.+)$/.exec(url);
  const [, host, path] = match ?? [];
  return host === undefined || path === undefined ? undefined : { host: host.toLowerCase(), path };
}

function isName(part: string): boolean {
  return /^[\w.-]+$/.test(part) && part !== '.' && part !== '..';
}
