import { isIP } from 'node:net';
import { isNamed } from '../network/guarded-fetch.ts';
import { isPublicAddress } from '../network/public-address.ts';

/**
 * Why nothing is sent to an address; undefined: nothing is known against it. Names are looked up with each delivery, by the guard.
 * @param named `host:port` or `host:*` of receivers that may be on this machine or its network, and be told over http
 */
export function receiverProblem(address: string, named: readonly string[]): string | undefined {
  const url = URL.parse(address);
  if (url === null) return 'it is no web address';
  if (url.username !== '' || url.password !== '') return 'it has a user name or password in it';
  if (isNamed(url, named) && ['http:', 'https:'].includes(url.protocol)) return undefined;
  if (url.protocol !== 'https:') return 'it takes an address that begins with https://';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isPrivate = isIP(host) === 0 ? /(?:^|\.)localhost\.?$/.test(host) : !isPublicAddress(host);
  return isPrivate ? `${host} is not on the public internet` : undefined;
}
