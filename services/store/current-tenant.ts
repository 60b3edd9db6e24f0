import { AsyncLocalStorage } from 'node:async_hooks';

const tenants = new AsyncLocalStorage<string>();

/** Whose rows a store sees that was made with `tenant: currentTenant`; undefined outside of {@link inTenant}. */
export function currentTenant(): string | undefined {
  return tenants.getStore();
}

/** Does `work`, and all that it starts, for a tenant. */
export function inTenant<T>(tenant: string, work: () => T): T {
  return tenants.run(tenant, work);
}
