import { dirname } from 'node:path';
import { searchAttributes } from '../../domain/contracts/ralph.ts';

/**
 * Dynamic configuration of every engine of ours. By default a server reads a shard's transfer queue 20 times a second at
 * most, and each step of a sequential workflow waits for that: 92 ms a step instead of 17.
 */
const dynamicConfig = { 'history.transferProcessorMaxPollRPS': 2000 } as const;

/** The arguments of a Temporal development server that keeps its state in `databaseFile`, through kill -9 and power loss. */
export function temporalArguments(options: {
  readonly databaseFile: string;
  readonly port: number;
  readonly uiPort: number;
  readonly namespace: string;
}): readonly string[] {
  const address = ['--ip', '127.0.0.1', '--port', String(options.port), '--ui-port', String(options.uiPort)];
  const namespace = options.namespace === 'default' ? [] : ['--namespace', options.namespace];
  const store = ['--db-filename', options.databaseFile];
  const pragmas = ['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=FULL'];
  const dynamic = Object.entries(dynamicConfig).flatMap(([key, value]) => [
    '--dynamic-config-value',
    `${key}=${value}`,
  ]);
  const attributes = Object.entries(searchAttributes).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  const quiet = ['--ui-disable-news-fetch', '--log-level', 'warn'];
  return ['server', 'start-dev', ...address, ...namespace, ...store, ...pragmas, ...dynamic, ...attributes, ...quiet];
}

/** Nothing of the user's Temporal settings reaches the server; its home is its own folder. */
export function temporalEnvironment(databaseFile: string): { readonly [name: string]: string } {
  return { PATH: '/usr/bin:/bin', HOME: dirname(databaseFile) };
}
