import { CodetetherError } from '../../domain/errors.ts';
import { newSecretKey } from '../config/key-ring.ts';
import { stackPaths } from './paths.ts';
import { databaseAddresses, ensureCredentials } from './postgres.ts';
import { ensureSecretFile } from './secret-file.ts';
import { readState } from './state.ts';

/** As variables; a server that the user has given is not among them, and what the user sets goes before these. */
export interface EmbeddedServers {
  readonly DATABASE_URL?: string;
  readonly DATABASE_OWNER_URL?: string;
  readonly TEMPORAL_ADDRESS?: string;
  readonly CODETETHER_SECRET_KEYS: string;
}

/** Where the servers are that a running local stack embeds. @throws `stack-failed` where none runs */
export async function embeddedServers(dataDir: string): Promise<EmbeddedServers> {
  const state = await readState(dataDir);
  if (state === undefined) throw new CodetetherError('stack-failed', 'the local stack does not run');
  const { embedded, temporalAddress } = state;
  return {
    // That of a running stack is there.
    CODETETHER_SECRET_KEYS: await ensureSecretFile(stackPaths(dataDir).secretKeyFile, newSecretKey),
    ...(embedded.engine ? { TEMPORAL_ADDRESS: temporalAddress } : {}),
    ...(embedded.database ? await databaseVariables(dataDir, state.children.postgres?.port ?? null) : {}),
  };
}

async function databaseVariables(
  dataDir: string,
  port: number | null,
): Promise<Omit<EmbeddedServers, 'CODETETHER_SECRET_KEYS'>> {
  if (port === null) throw new CodetetherError('stack-failed', 'the database of the local stack is not there yet');
  const credentials = await ensureCredentials(stackPaths(dataDir).postgresDir);
  const { url, ownerUrl } = databaseAddresses(port, credentials);
  return { DATABASE_URL: url, DATABASE_OWNER_URL: ownerUrl };
}
