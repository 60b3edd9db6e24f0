import { stackPaths } from './paths.ts';
import { databaseUrl, ensureCredentials, ownerDatabaseUrl } from './postgres.ts';
import { readPorts } from './ports.ts';

/** The addresses of the servers that a local stack embeds, as the processes it starts get them. */
export async function embeddedServers(
  dataDir: string,
): Promise<{ readonly DATABASE_URL: string; readonly DATABASE_OWNER_URL: string; readonly TEMPORAL_ADDRESS: string }> {
  const { postgres = 0, temporal = 0 } = await readPorts(dataDir);
  const { password, ownerPassword } = await ensureCredentials(stackPaths(dataDir).postgresDir);
  return {
    DATABASE_URL: databaseUrl({ port: postgres, password }),
    DATABASE_OWNER_URL: ownerDatabaseUrl({ port: postgres, ownerPassword }),
    TEMPORAL_ADDRESS: `127.0.0.1:${temporal}`,
  };
}
