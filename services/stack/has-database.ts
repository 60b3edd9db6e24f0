import { existsSync } from 'node:fs';
import { variable } from '../config/environment.ts';
import type { Environment } from '../config/environment.ts';
import { clusterPath, stackPaths } from './paths.ts';

/** Whether there can be runs and sessions: false where no local stack has ever been started, and no other server is named. */
export function hasDatabase({
  environment,
  dataDir,
}: {
  readonly environment: Environment;
  readonly dataDir: string;
}): boolean {
  const named = ['DATABASE_URL', 'CODETETHER_API_SOCKET', 'CODETETHER_SERVER'].some(
    (name) => variable(environment, name) !== undefined,
  );
  return named || existsSync(clusterPath(stackPaths(dataDir).postgresDir));
}
