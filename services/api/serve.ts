import { CodetetherError } from '../../domain/errors.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { ensureHostId } from '../config/host-id.ts';
import { packageVersion } from '../config/version.ts';
import { currentTenant } from '../store/current-tenant.ts';
import { createStore } from '../store/store.ts';
import { createApp } from './app.ts';
import { authenticateLocal } from './permissions.ts';
import { createEditedPrdReader, createPreflight } from './preflight.ts';
import { listenOnSocket } from './socket.ts';
import { createTemporalEngine } from './temporal-engine.ts';

export interface ApiServer {
  /** Rejects when the database's schema cannot be brought up to date; never because it does not answer yet. */
  readonly prepared: Promise<void>;
  /** Ends event streams, answers what was asked, lets go of everything. */
  close(): Promise<void>;
}

/**
 * Serves the API on its Unix socket; `/health` answers at once, the rest when database and engine do.
 * @throws `config-invalid`, `port-taken` when another process serves the socket
 */
export async function serveApi(options: {
  readonly config: Config;
  readonly environment: Environment;
}): Promise<ApiServer> {
  const { config, environment } = options;
  const databaseUrl = required(config.databaseUrl, 'DATABASE_URL').reveal();
  const address = required(config.temporalAddress, 'TEMPORAL_ADDRESS');
  const namespace = config.temporalNamespace;
  const hostId = await ensureHostId(config.dataDir);
  const store = createStore({
    databaseUrl,
    ownerUrl: config.databaseOwnerUrl?.reveal(),
    applicationName: 'codetether-api',
    tenant: currentTenant,
  });
  const engine = createTemporalEngine({ address, namespace });
  const stopping = new AbortController();
  const prepared = store.prepare({ signal: stopping.signal }).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  const app = await createApp({
    store,
    engine,
    prepared,
    ...createPreflight({ config, environment, hostId }),
    readEditedPrd: createEditedPrdReader(environment),
    authenticate: authenticateLocal,
    ui: { uiUrl: config.temporalUiUrl ?? null, namespace },
    version: packageVersion(),
    log: true,
  });
  const close = async (): Promise<void> => {
    stopping.abort();
    await app.close();
    await Promise.all([store.close(), engine.close()]);
  };
  try {
    await listenOnSocket(app, config.apiSocket);
  } catch (error) {
    await close();
    throw error;
  }
  return { prepared, close };
}

function required<T>(value: T | undefined, variable: string): T {
  if (value !== undefined) return value;
  throw new CodetetherError('config-invalid', undefined, {
    problems: [`${variable}: is not set; the API needs it`],
    next: 'Start the API with codetether up, or set the variable.',
  });
}
