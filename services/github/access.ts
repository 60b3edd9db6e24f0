import { CodetetherError } from '../../domain/errors.ts';
import { variable } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { Secret } from '../config/secret.ts';

export interface GithubAccess {
  /** Without a slash at its end. */
  readonly apiUrl: string;
  readonly token: Secret;
}

const publicHost = 'github.com';

/**
 * Where the API of a host is, and the token for it. `GITHUB_API_URL` counts for the host that it is of. `GITHUB_TOKEN` is sent to github.com,
 * and to another host only when `GITHUB_API_URL` names that: a repository's remote names the host, and anybody can write one.
 * @throws `github-token-missing`, `config-invalid` for an address that is none, or would show the token on the way
 */
export function githubAccess(environment: Environment, host: string): GithubAccess {
  const set = addressFor(environment, host);
  const isPublic = host === publicHost;
  const names = [
    ...(isPublic ? [] : ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN']),
    ...(isPublic || set !== undefined ? ['GITHUB_TOKEN', 'GH_TOKEN'] : []),
  ];
  const apiUrl = set ?? defaultAddress(host);
  const token = names.map((name) => variable(environment, name)).find((value) => value !== undefined);
  if (token === undefined)
    throw new CodetetherError('github-token-missing', `there is no token for ${host}`, {
      problems: names.map((name) => `${name}: not set`),
      next: isPublic
        ? 'Set GITHUB_TOKEN to a token that may write pull requests.'
        : `Set GH_ENTERPRISE_TOKEN to a token of ${host}; GITHUB_TOKEN is sent there only with GITHUB_API_URL=${apiUrl}.`,
    });
  if (!/^[\x21-\x7E]+$/.test(token))
    throw new CodetetherError('config-invalid', 'the token for GitHub has characters that no token has');
  return { apiUrl, token: new Secret(token) };
}

function defaultAddress(host: string): string {
  return host === publicHost || host.endsWith('.ghe.com') ? `https://api.${host}` : `https://${host}/api/v3`;
}

/** What is set, when it is of the host, or on this machine. */
function addressFor(environment: Environment, host: string): string | undefined {
  const address = variable(environment, 'GITHUB_API_URL');
  if (address === undefined) return undefined;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isLocal = url !== undefined && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
  if (url === undefined || !isSafe || url.username !== '' || url.search !== '')
    throw new CodetetherError('config-invalid', 'GITHUB_API_URL cannot be used', {
      problems: ['GITHUB_API_URL: expected an https address, such as https://github.example.com/api/v3'],
    });
  return isLocal || url.host === host || url.host === `api.${host}` ? trimmed(address) : undefined;
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, '');
}
