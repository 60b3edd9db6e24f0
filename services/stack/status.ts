import { askSupervisor } from './control.ts';
import { livingChild } from './leftovers.ts';
import { childNames } from './paths.ts';
import type { LogName } from './paths.ts';
import { isAlive, memoryBytes } from './processes.ts';
import { readState } from './state.ts';
import type { ChildState, ChildStatus, StackState } from './state.ts';

export interface ProcessStatus {
  readonly name: LogName;
  readonly status: ChildStatus;
  readonly pid: number | null;
  readonly uptimeMs: number | null;
  readonly port: number | null;
  readonly memoryBytes: number | null;
  readonly restarts: number;
  readonly lastEnd: string | null;
  /** Why it cannot be started. */
  readonly problem: string | null;
}

/**
 * - `running`: the supervisor answers
 * - `abandoned`: the supervisor was killed; what it had started still runs
 * - `stopped`: nothing runs
 */
export type StackCondition = 'running' | 'abandoned' | 'stopped';

export interface StackStatus {
  readonly condition: StackCondition;
  readonly dataDir: string;
  readonly apiSocket: string | null;
  readonly temporalAddress: string | null;
  readonly temporalUiUrl: string | null;
  readonly embedded: StackState['embedded'] | null;
  /** In the order they are shown; empty when nothing runs. */
  readonly processes: readonly ProcessStatus[];
}

/** Looks; starts and changes nothing. Never throws for a stack that is not there. */
export async function readStatus(dataDir: string): Promise<StackStatus> {
  const reply = await askSupervisor(dataDir, { op: 'state' }, { timeoutMs: 5000 });
  if (reply?.kind === 'state') return await describe(dataDir, 'running', reply.state, reply.state.children);
  const state = await readState(dataDir);
  const children: Partial<Record<(typeof childNames)[number], ChildState>> = {};
  for (const name of childNames) {
    const child = await livingChild(state, name);
    if (child !== undefined) children[name] = child;
  }
  if (state !== undefined && Object.keys(children).length > 0)
    return await describe(dataDir, 'abandoned', state, children);
  return {
    condition: 'stopped',
    dataDir,
    apiSocket: null,
    temporalAddress: null,
    temporalUiUrl: null,
    embedded: null,
    processes: [],
  };
}

async function describe(
  dataDir: string,
  condition: StackCondition,
  state: StackState,
  children: StackState['children'],
): Promise<StackStatus> {
  const supervisorLives = condition === 'running' && (await isAlive(state.supervisor));
  const supervisor: ProcessStatus = {
    name: 'supervisor',
    status: supervisorLives ? 'running' : 'stopped',
    pid: supervisorLives ? state.supervisor.pid : null,
    uptimeMs: supervisorLives ? Date.now() - Date.parse(state.startedAt) : null,
    port: null,
    memoryBytes: supervisorLives ? await ownMemory(state.supervisor.pid) : null,
    restarts: 0,
    lastEnd: null,
    problem: null,
  };
  const processes: ProcessStatus[] = [supervisor];
  for (const name of childNames) {
    const child = children[name];
    if (child === undefined) continue;
    const pid = child.process?.pid ?? null;
    processes.push({
      name,
      status: child.status,
      pid,
      uptimeMs: child.status === 'running' ? Date.now() - Date.parse(child.since) : null,
      port: child.port,
      memoryBytes: pid === null ? null : ((await memoryBytes(pid, { withChildren: name === 'postgres' })) ?? null),
      restarts: child.restarts,
      lastEnd: child.lastEnd,
      problem: child.problem?.title ?? null,
    });
  }
  const { apiSocket, temporalAddress, temporalUiUrl, embedded } = state;
  return { condition, dataDir, apiSocket, temporalAddress, temporalUiUrl, embedded, processes };
}

/** Its children are processes of their own in the list. */
async function ownMemory(pid: number): Promise<number | null> {
  return (await memoryBytes(pid, { withChildren: false })) ?? null;
}
