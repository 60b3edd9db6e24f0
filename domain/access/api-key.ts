import { tenantPattern } from '../run/ids.ts';

/** A key in clear: `ct_<tenant>_<key id>_<secret>`. It says whose it is, so that it is looked for among that tenant's keys only. */
export interface ApiKey {
  readonly tenant: string;
  readonly keyId: string;
  readonly secret: string;
}

export const keyIdPattern = /^[0-9a-f]{12}$/;
/** 32 random bytes in base64url. */
const secretPattern = /^[A-Za-z0-9_-]{43}$/;

/** Undefined for what is no key of ours, whatever else it may be. */
export function parseApiKey(text: string): ApiKey | undefined {
  const [, tenant = '', keyId = '', secret = ''] = /^ct_([^_]+)_([^_]+)_(.+)$/.exec(text) ?? [];
  const isKey = tenantPattern.test(tenant) && keyIdPattern.test(keyId) && secretPattern.test(secret);
  return isKey ? { tenant, keyId, secret } : undefined;
}

export function formatApiKey({ tenant, keyId, secret }: ApiKey): string {
  return `ct_${tenant}_${keyId}_${secret}`;
}
