import { readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { killProcesses } from './kill-processes.ts';
import { pipePrefix } from './output-pipe.ts';
import { listProcesses, processesWith, type ProcessEntry } from './process-list.ts';
import { tokenPrefix, tokenVariable, type RegisteredGroup } from './register-group.ts';

const Entry = z.object({ pid: z.number(), startTime: z.string(), token: z.string() });

/**
 * Kills (SIGKILL) every process that a killed predecessor left in `folder`, one too that it had no time to register (Linux), and waits
 * until they are gone; a pid that belongs to somebody else by now is let live. Call it before anything is started with this folder.
 * Never throws.
 * @returns how many processes were killed
 */
export async function killLeftovers(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const prefix = tokenPrefix(folder);
  const victims = await killGroups(folder, {
    groups: await readEntries(folder, names),
    isOurs: (token) => token.startsWith(prefix),
  });
  const pipes = names.filter((name) => name.startsWith(pipePrefix));
  await Promise.all(pipes.map((name) => rm(path.join(folder, name), { force: true })));
  return victims;
}

/** The same for the commands with these tokens alone, also one that died or was left before it could be registered. */
export async function killCommands(folder: string, tokens: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const entries = await readEntries(folder, names);
  const groups = entries.filter((entry) => tokens.has(entry.token));
  const isOurs = (token: string): boolean => tokens.has(token);
  await killGroups(folder, { groups, isOurs });
  const isWhole = [...tokens].every((token) => groups.some((group) => group.token === token));
  // One that was being started when its launcher died shows its token only a moment later.
  for (let look = 0; look < 4 && !isWhole; look++) {
    await delay(50);
    await killGroups(folder, { groups: [], isOurs });
  }
  const cutOff = entries.filter((entry) => entry.token === '');
  if (cutOff.length > 0) await removeNotesOfOver(folder, cutOff);
}

/** A note that its writer was killed at names no command. One that runs is found by its token; one that is over is not. */
async function removeNotesOfOver(folder: string, notes: readonly RegisteredGroup[]): Promise<void> {
  const alive = new Set((await listProcesses()).filter((entry) => entry.alive).map((entry) => entry.pid));
  const over = notes.filter(({ pid }) => !alive.has(pid));
  await Promise.all(over.map(async ({ pid }) => await rm(path.join(folder, String(pid)), { force: true })));
}

interface Commands {
  readonly groups: readonly RegisteredGroup[];
  /** Whether a token is of one of them, registered or not. */
  readonly isOurs: (token: string) => boolean;
}

async function killGroups(folder: string, commands: Commands): Promise<number> {
  const pids = new Set(commands.groups.map(({ pid }) => pid));
  const killed = await killProcesses(async () => {
    const victims = await leftovers(commands);
    for (const { pid } of victims) pids.add(pid);
    return victims;
  });
  // A victim's own note may have been cut off while it was written.
  await Promise.all([...pids].map((pid) => rm(path.join(folder, String(pid)), { force: true })));
  return killed;
}

async function readEntries(folder: string, names: readonly string[]): Promise<readonly RegisteredGroup[]> {
  const files = names.filter((name) => /^\d+$/.test(name));
  return await Promise.all(
    files.map(
      async (name) => (await readEntry(path.join(folder, name))) ?? { pid: Number(name), startTime: '', token: '' },
    ),
  );
}

async function leftovers({ groups, isOurs }: Commands): Promise<readonly ProcessEntry[]> {
  const processes = await listProcesses();
  const marked = await processesWith(tokenVariable, processes);
  const byPid = new Map(processes.map((entry) => [entry.pid, entry]));
  const alive = new Set(
    groups
      .filter((group) => group.startTime !== '' && byPid.get(group.pid)?.startTime === group.startTime)
      .map((group) => group.pid),
  );
  // Whoever was started by a command of the predecessor, as this process may have been, does not end itself.
  const own = marked.find(({ pid }) => pid === process.pid)?.mark;
  const victims = new Map(
    [
      ...processes.filter((entry) => alive.has(entry.group)),
      ...marked.filter(({ mark }) => isOurs(mark) && mark !== own),
    ].map((entry) => [entry.pid, entry]),
  );
  return [...victims.values()].filter((entry) => entry.pid !== process.pid);
}

async function readEntry(file: string): Promise<RegisteredGroup | undefined> {
  try {
    return Entry.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // A file that its writer could not finish names no process that had time to do anything.
    return undefined;
  }
}
