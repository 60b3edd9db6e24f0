import { BlockList, isIP, isIPv4 } from 'node:net';

/** Not reachable from everywhere: this machine, its network, the cloud's metadata, groups, what is reserved. */
const privateV4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);
/** All that is in use publicly is in here. */
const globalV6 = blockList('ipv6', [['2000::', 3]]);
/** But for what is reserved and what has an IPv4 address inside. */
const privateV6 = blockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

function blockList(family: 'ipv4' | 'ipv6', ranges: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family);
  return list;
}

/** Whether an IP address is one of the public internet. False for what is no IP address. */
export function isPublicAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  if (isIPv4(plain)) return !privateV4.check(plain, 'ipv4');
  return isIP(plain) === 6 && !plain.includes('%') && globalV6.check(plain, 'ipv6') && !privateV6.check(plain, 'ipv6');
}
