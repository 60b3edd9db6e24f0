import { isIPv4 } from 'node:net';

/** Whether an address, or the host of a URL, is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || (isIPv4(host) && host.startsWith('127.'));
}
