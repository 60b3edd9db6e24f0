import { readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { pipePrefix } from './output-pipe.ts';
import { listProcesses, processesWithToken, type ProcessEntry } from './process-list.ts';
import { tokenVariable, type RegisteredGroup } from './register-group.ts';

const Entry = z.object({ pid: z.number(), startTime: z.string(), token: z.string() });

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

async function leftovers(groups: readonly RegisteredGroup[]): Promise<readonly ProcessEntry[]> {
  const processes = await listProcesses();
  const byPid = new Map(processes.map((entry) => [entry.pid, entry]));
  const alive = new Set(
    groups.filter((group) => byPid.get(group.pid)?.startTime === group.startTime).map((group) => group.pid),
  );
  const marked = await processesWithToken(tokenVariable, new Set(groups.map((group) => group.token)));
  const victims = new Map(
    [...processes.filter((entry) => alive.has(entry.group)), ...marked].map((entry) => [entry.pid, entry]),
  );
  return [...victims.values()].filter((entry) => entry.pid !== process.pid);
}

async function anyAlive(victims: readonly ProcessEntry[]): Promise<boolean> {
  if (victims.length === 0) return false;
  const alive = new Set((await listProcesses()).filter((entry) => entry.alive).map((entry) => entry.pid));
  return victims.some((victim) => alive.has(victim.pid));
}

async function readEntry(file: string): Promise<RegisteredGroup | undefined> {
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
