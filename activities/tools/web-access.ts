import type { AskReason } from '../../domain/contracts/activities.ts';

/** What the user has allowed agents on the web. */
export interface WebAccess {
  /** `ask`: a person is asked about each address that `hosts` does not name; `allow`: nobody is. */
  readonly policy: 'ask' | 'allow';
  /** Names of hosts; `*.example.com` stands for all below `example.com`. */
  readonly hosts: readonly string[];
}

export function isAllowedHost(access: WebAccess, host: string): boolean {
  return (
    access.policy === 'allow' ||
    access.hosts.some((name) => (name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name))
  );
}

/** An address can carry out what should stay here, so a person is asked, and none of it counts as safe. */
export function askAboutHost(access: WebAccess, host: string): AskReason | undefined {
  return isAllowedHost(access, host) ? undefined : { why: `it asks ${host} over the network`, isSafe: false };
}
