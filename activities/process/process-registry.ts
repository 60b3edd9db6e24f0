import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { pipePrefix } from './output-pipe.ts';
import { listProcesses, startTimeNow, type ProcessEntry } from './process-list.ts';

/** Environment variable by which a process is known to belong to a registered command, also after it left its group. */
export const tokenVariable = 'CODETETHER_PROCESS';

const Entry = z.object({ pid: z.number(), startTime: z.string(), token: z.string() });
type Entry = z.infer<typeof Entry>;

export function newToken(): string {
  return randomUUID();
}

/**
 * Writes `<folder>/<pid>`: `{"pid":4711,"startTime":"8765","token":"…"}`, the leader of a group that runs now.
 * @returns takes the file away again
 */
export function registerGroup(folder: string, leader: { readonly pid: number; readonly token: string }): () => void {
  const file = path.join(folder, String(leader.pid));
  const write = (startTime: string): void => {
    writeFileSync(file, JSON.stringify({ ...leader, startTime } satisfies Entry));
  };
  mkdirSync(folder, { recursive: true });
  let over = false;
  const writeLater = async (): Promise<void> => {
    write('');
    const entry = (await listProcesses()).find((candidate) => candidate.pid === leader.pid);
    if (entry !== undefined && !over) write(entry.startTime);
  };
  if (process.platform === 'linux') write(startTimeNow(leader.pid) ?? '');
  else void writeLater();
  return () => {
    over = true;
    rmSync(file, { force: true });
  };
}

/**
 * Kills (SIGKILL) every process that a killed predecessor left in `folder` and waits until they are gone; a pid that
 * belongs to somebody else by now is let live. Call it before anything is started with this folder. Never throws.
 * @returns how many processes were killed
 */
export async function killLeftovers(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const entries = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map((name) => readEntry(path.join(folder, name))),
  );
  const known = entries.filter((entry) => entry !== undefined);
  const victims = known.length === 0 ? [] : await leftovers(known);
  for (const victim of victims) kill(victim.pid);
  for (let waited = 0; waited < 2000 && (await anyAlive(victims)); waited += 20) await delay(20);
  const ours = names.filter((name) => /^\d+$/.test(name) || name.startsWith(pipePrefix));
  await Promise.all(ours.map((name) => rm(path.join(folder, name), { force: true })));
  return victims.length;
}

/** Processes that carry a command's token in their environment (Linux only; elsewhere none). */
export async function processesWithToken(tokens: ReadonlySet<string>): Promise<readonly ProcessEntry[]> {
  if (process.platform !== 'linux') return [];
  return withToken(await listProcesses(), tokens);
}

async function leftovers(entries: readonly Entry[]): Promise<readonly ProcessEntry[]> {
  const processes = await listProcesses();
  const byPid = new Map(processes.map((entry) => [entry.pid, entry]));
  const groups = new Set(
    entries.filter((entry) => byPid.get(entry.pid)?.startTime === entry.startTime).map((entry) => entry.pid),
  );
  const marked = await withToken(processes, new Set(entries.map((entry) => entry.token)));
  const victims = new Set([...processes.filter((entry) => groups.has(entry.group)), ...marked]);
  return [...victims].filter((entry) => entry.pid !== process.pid);
}

async function withToken(
  processes: readonly ProcessEntry[],
  tokens: ReadonlySet<string>,
): Promise<readonly ProcessEntry[]> {
  const marks = await Promise.all(
    processes.map(async (entry) => {
      const environment = await readFile(`/proc/${entry.pid}/environ`, 'utf8').catch(() => '');
      const mark = environment.split('\0').find((variable) => variable.startsWith(`${tokenVariable}=`));
      return mark !== undefined && tokens.has(mark.slice(tokenVariable.length + 1));
    }),
  );
  return processes.filter((_, index) => marks[index] === true);
}

async function anyAlive(victims: readonly ProcessEntry[]): Promise<boolean> {
  if (victims.length === 0) return false;
  const alive = new Set((await listProcesses()).filter((entry) => entry.alive).map((entry) => entry.pid));
  return victims.some((victim) => alive.has(victim.pid));
}

async function readEntry(file: string): Promise<Entry | undefined> {
  try {
    return Entry.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // A file that its writer could not finish names no process that had time to do anything.
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
