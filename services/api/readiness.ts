import type { z } from 'zod';
import type { ReadyView } from '../../domain/contracts/api.ts';
import { defaultTenant } from '../../domain/run/ids.ts';
import { inTenant } from '../store/current-tenant.ts';
import type { ApiDeps } from './deps.ts';
import { isAlive } from './views.ts';

/** Asks database, engine and a worker, each time anew; one that drains is not ready whatever they say. Never rejects. */
export function createReadiness(
  deps: Pick<ApiDeps, 'store' | 'engine' | 'prepared' | 'draining'>,
): () => Promise<z.infer<typeof ReadyView>> {
  let isPrepared = false;
  const notePrepared = async (): Promise<void> => {
    await deps.prepared;
    isPrepared = true;
  };
  notePrepared().catch(() => {
    // It stays unprepared; whoever prepares it says why.
  });
  return async () => {
    const [database, engine, worker] = await Promise.all([
      isPrepared ? succeeds(deps.store.ping()) : false,
      succeeds(deps.engine.ping()),
      isPrepared ? succeeds(inTenant(defaultTenant, async () => await aliveHost(deps))) : false,
    ]);
    const ready = database && engine && worker && deps.draining?.aborted !== true;
    return { ready, database, engine, worker };
  };
}

async function aliveHost({ store }: Pick<ApiDeps, 'store'>): Promise<void> {
  const hosts = await store.listHosts();
  if (!hosts.some((host) => isAlive(host, Date.now()))) throw new Error('no worker was seen lately');
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch {
    // Readiness is asked for exactly to learn this.
    return false;
  }
}
