const urlSchemes = ['https', 'http', 'ssh', 'git', 'file'];

/** `https://host/path`, `ssh://…` or `user@host:path`, as git takes them; anything else is a path. */
export function isRemoteUrl(remote: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(remote) || /^[^/\\]+:/.test(remote);
}

/** Why the text cannot be a shared remote, for people; null when it can. Secrets in it are not repeated. */
export function remoteProblem(remote: string): string | null {
  if (/[\p{Cc}]/u.test(remote) || remote.startsWith('-')) return 'must be an absolute path or a URL';
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(remote)?.[1]?.toLowerCase();
  if (/^[a-z][a-z0-9+.-]*::/i.test(remote)) return 'is a remote helper of git, which could run any command';
  if (scheme !== undefined && remote.slice(scheme.length).startsWith('://')) {
    if (!urlSchemes.includes(scheme)) return `has the scheme ${scheme}; use one of ${urlSchemes.join(', ')}`;
    const user = /^[^:]+:\/\/([^/@]*)@/.exec(remote)?.[1];
    if (user === undefined || (scheme === 'ssh' && !user.includes(':'))) return null;
    return 'names a user, password or token, which would be stored: keep it in a credential helper of git instead';
  }
  if (/^[^/@]*:[^/@]*@/.test(remote)) return 'names a password, which would be stored: use a key instead';
  if (isRemoteUrl(remote) || remote.startsWith('/')) return null;
  return 'must be an absolute path or a URL';
}
