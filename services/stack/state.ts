/** What is known of a running (or killed) stack: `<data>/stack/state.json`, written by the supervisor. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Problem } from '../../domain/errors.ts';
import { childNames, stackPaths } from './paths.ts';
import type { ChildName } from './paths.ts';
import type { ProcessIdentity } from './processes.ts';

/**
 * - `starting`: being prepared (the first time, the database cluster is made)
 * - `running`: its process lives
 * - `waiting`: it ended, and is started again after a pause
 * - `stopped`: it was ended on request
 */
export type ChildStatus = 'starting' | 'running' | 'waiting' | 'stopped';

export interface ChildState {
  readonly status: ChildStatus;
  /** Of the process, while it runs. */
  readonly process: ProcessIdentity | null;
  readonly port: number | null;
  /** How often it was started again since the stack was started. */
  readonly restarts: number;
  /** RFC 3339: since when it has the status; while running, when its process was started. */
  readonly since: string;
  /** How its last process ended, for people. */
  readonly lastEnd: string | null;
  /** Why it cannot be started. */
  readonly problem: Problem | null;
}

/**
 * @example
 * {"schemaVersion":1,"build":"0.1.0-3f9a","supervisor":{"pid":412,"startTime":"88213"},"startedAt":"2026-11-20T19:00:00.000Z",
 *  "apiSocket":"/home/ada/.local/share/codetether/api.sock","temporalAddress":"127.0.0.1:41234",
 *  "temporalUiUrl":"http://127.0.0.1:41235","embedded":{"database":true,"engine":true},
 *  "children":{"postgres":{"status":"running","process":{"pid":413,"startTime":"88215"},"port":40021,"restarts":0,
 *   "since":"2026-11-20T19:00:00.100Z","lastEnd":null,"problem":null}}}
 */
export interface StackState {
  readonly schemaVersion: 1;
  readonly build: string;
  readonly supervisor: ProcessIdentity;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly apiSocket: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string | null;
  /** False: the user gave a server of their own. */
  readonly embedded: { readonly database: boolean; readonly engine: boolean };
  readonly children: { readonly [name in ChildName]?: ChildState };
}

/** `undefined` when there is no state, or it cannot be read as one. */
export async function readState(dataDir: string): Promise<StackState | undefined> {
  const text = await readFile(stackPaths(dataDir).stateFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isState(parsed) ? parsed : undefined;
  } catch {
    // Torn by a full disk, or edited: as good as none, the processes are found by their arguments.
    return undefined;
  }
}

/** Atomic: a reader sees the old or the new state. */
export async function writeState(dataDir: string, state: StackState): Promise<void> {
  const { stateFile } = stackPaths(dataDir);
  await writeFile(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${stateFile}.new`, stateFile);
}

export async function removeState(dataDir: string): Promise<void> {
  const { stateFile } = stackPaths(dataDir);
  await rm(stateFile, { force: true });
  await rm(`${stateFile}.new`, { force: true });
}

/** Checks what code relies on; the file is written by this program only. */
function isState(value: unknown): value is StackState {
  if (!isRecord(value) || value['schemaVersion'] !== 1 || !isIdentity(value['supervisor'])) return false;
  const children = value['children'];
  if (!isRecord(children)) return false;
  return childNames.every((name) => {
    const child = children[name];
    if (child === undefined) return true;
    return isRecord(child) && (child['process'] === null || isIdentity(child['process']));
  });
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return isRecord(value) && Number.isInteger(value['pid']) && typeof value['startTime'] === 'string';
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
