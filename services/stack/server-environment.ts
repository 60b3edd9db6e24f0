import { stackPaths } from './paths.ts';
import { databaseAddresses, ensureCredentials } from './postgres.ts';
import { readPorts } from './ports.ts';

/** The addresses of the servers that a local stack embeds, as the processes it starts get them. */
export async function embeddedServers(
  dataDir: string,
): Promise<{ readonly DATABASE_URL: string; readonly DATABASE_OWNER_URL: string; readonly TEMPORAL_ADDRESS: string }> {
  const { postgres = 0, temporal = 0 } = await readPorts(dataDir);
  const credentials = await ensureCredentials(stackPaths(dataDir).postgresDir);
  const { url, ownerUrl } = databaseAddresses(postgres, credentials);
  return { DATABASE_URL: url, DATABASE_OWNER_URL: ownerUrl, TEMPORAL_ADDRESS: `127.0.0.1:${temporal}` };
}
