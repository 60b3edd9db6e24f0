import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError, fromProblem } from '../../domain/errors.ts';
import { apiSocketPath, controlSocketPath } from '../config/paths.ts';
import { askSupervisor } from './control.ts';
import { endLeftovers } from './leftovers.ts';
import { tryLock } from './lock.ts';
import type { Lock } from './lock.ts';
import { stackPaths } from './paths.ts';
import type { ChildName } from './paths.ts';
import { isAlive, signalProcess, untilGone } from './processes.ts';
import type { ProcessIdentity } from './processes.ts';
import { readState, removeState } from './state.ts';

const stopTimeoutMs = 60_000;
const lockTimeoutMs = 10_000;

export interface StopResult {
  /** What was running and is ended; empty when nothing was. */
  readonly ended: readonly ChildName[];
  /** The supervisor was gone (killed) and had left something behind. */
  readonly wasAbandoned: boolean;
}

/**
 * Ends all processes of the data dir's stack: also what a killed supervisor left behind. Data stays. Idempotent.
 * @throws `stack-failed` when something cannot be ended
 */
export async function stopStack(dataDir: string): Promise<StopResult> {
  const supervisor = (await readState(dataDir))?.supervisor;
  const reply = await askSupervisor(dataDir, { op: 'stop' }, { timeoutMs: stopTimeoutMs });
  if (reply?.kind === 'failed') throw fromProblem(reply.problem);
  const lock = await takeLock(dataDir, supervisor);
  if (lock === undefined) return { ended: [], wasAbandoned: false };
  try {
    const left = await endLeftovers(dataDir);
    await removeState(dataDir);
    for (const socket of [controlSocketPath(dataDir), apiSocketPath(dataDir)]) await rm(socket, { force: true });
    if (supervisor !== undefined) await untilGone([supervisor], lockTimeoutMs);
    if (reply?.kind === 'stopped') return { ended: reply.ended, wasAbandoned: false };
    return { ended: left, wasAbandoned: left.length > 0 };
  } finally {
    lock.release();
  }
}

/** Ends a supervisor that holds the lock and does not answer. `undefined` when the data dir never had a stack. */
async function takeLock(dataDir: string, supervisor: ProcessIdentity | undefined): Promise<Lock | undefined> {
  const { lockFile } = stackPaths(dataDir);
  const deadline = Date.now() + lockTimeoutMs;
  let signal: NodeJS.Signals = 'SIGTERM';
  for (let nextSignal = Date.now() + lockTimeoutMs / 4; ;) {
    try {
      const lock = tryLock(lockFile);
      if (lock !== undefined) return lock;
    } catch {
      // The folder does not exist.
      return undefined;
    }
    if (Date.now() > deadline) break;
    if (Date.now() > nextSignal && supervisor !== undefined && (await isAlive(supervisor))) {
      signalProcess(supervisor.pid, signal);
      signal = 'SIGKILL';
      nextSignal += lockTimeoutMs / 4;
    }
    await delay(20);
  }
  throw new CodetetherError('stack-failed', 'the local stack could not be stopped', {
    problems: [`another process holds ${lockFile}`],
    next: 'Try again; if it stays so, look for node processes named supervisor.',
  });
}
