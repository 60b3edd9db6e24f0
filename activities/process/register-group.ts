import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { listProcesses, startTimeNow } from './process-list.ts';

/** Environment variable by which a process is known to belong to a command, also after it left its group. */
export const tokenVariable = 'CODETETHER_PROCESS';

/** What the token of a command begins with that was started with this folder, registered or not yet. */
export function tokenPrefix(folder: string): string {
  return `${createHash('sha256').update(path.resolve(folder)).digest('hex').slice(0, 16)}-`;
}

export function newToken(folder: string): string {
  return `${tokenPrefix(folder)}${randomUUID()}`;
}

/** What `<folder>/<pid>` holds as JSON: `{"pid":4711,"startTime":"8765","token":"…"}`. */
export interface RegisteredGroup {
  readonly pid: number;
  /** See `ProcessEntry`; empty for the moment that finding it takes where it is not read from a file. */
  readonly startTime: string;
  readonly token: string;
}

/** Notes the leader of a group that runs now, for `killLeftovers`. */
export function registerGroup(folder: string, leader: { readonly pid: number; readonly token: string }): void {
  if (process.platform === 'linux') {
    write(folder, { ...leader, startTime: startTimeNow(leader.pid) ?? '' });
    return;
  }
  write(folder, { ...leader, startTime: '' });
  void addStartTime(folder, leader);
}

export function unregisterGroup(folder: string, pid: number): void {
  rmSync(path.join(folder, String(pid)), { force: true });
}

async function addStartTime(folder: string, leader: { readonly pid: number; readonly token: string }): Promise<void> {
  const entry = (await listProcesses()).find((candidate) => candidate.pid === leader.pid);
  // A group that was unregistered in the meantime has ended, and is not in the list.
  if (entry !== undefined) write(folder, { ...leader, startTime: entry.startTime });
}

function write(folder: string, group: RegisteredGroup): void {
  const file = path.join(folder, String(group.pid));
  try {
    writeFileSync(file, JSON.stringify(group));
  } catch {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, JSON.stringify(group));
  }
}
