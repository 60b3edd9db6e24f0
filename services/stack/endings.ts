/** How each process of a stack is recognised and ended. */
import { clusterPath, stackPaths } from './paths.ts';
import type { ChildName } from './paths.ts';

export interface Ending {
  readonly name: ChildName;
  /** An argument that no other process on the machine has. */
  readonly mark: string;
  /** Asks the process to end in order. */
  readonly stopSignal: NodeJS.Signals;
  /** How long it may take for that before it is killed. */
  readonly graceMs: number;
}

/** Who uses a server ends before the server does. */
export const endingOrder = [
  ['worker', 'api'],
  ['temporal'],
  ['postgres'],
] as const satisfies readonly (readonly ChildName[])[];

export function endingOf(dataDir: string, name: ChildName): Ending {
  const paths = stackPaths(dataDir);
  switch (name) {
    case 'worker':
      return { name, mark: `--stack=worker:${dataDir}`, stopSignal: 'SIGTERM', graceMs: 10_000 };
    case 'api':
      return { name, mark: `--stack=api:${dataDir}`, stopSignal: 'SIGTERM', graceMs: 5_000 };
    case 'temporal':
      return { name, mark: paths.temporalFile, stopSignal: 'SIGTERM', graceMs: 5_000 };
    case 'postgres':
      // SIGINT ends PostgreSQL's sessions; on SIGTERM it would wait for them.
      return { name, mark: clusterPath(paths.postgresDir), stopSignal: 'SIGINT', graceMs: 15_000 };
  }
}
