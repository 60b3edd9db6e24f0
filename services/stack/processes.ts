/** What the operating system knows about processes. Linux reads /proc, other systems ask `ps`. */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** A process and not merely its number: numbers are given out again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** As the system tells it; only compared, never read. */
  readonly startTime: string;
}

const hasProc = platform() === 'linux';

/** `undefined` when there is no such process, or it has ended and only waits to be collected. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (!hasProc) {
    const line = (await ps(['-o', 'stat=,lstart=', '-p', String(pid)])).trim();
    const match = /^(\S+)\s+(.+)$/.exec(line);
    return match?.[1] === undefined || match[2] === undefined || match[1].startsWith('Z')
      ? undefined
      : { pid, startTime: match[2] };
  }
  const fields = await statFields(pid);
  const [state] = fields;
  const startTime = fields[19];
  if (state === undefined || state === 'Z' || state === 'X' || startTime === undefined) return undefined;
  return { pid, startTime };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTime === identity.startTime;
}

/** Processes of this user that have `argument` among their arguments. */
export async function findByArgument(argument: string): Promise<readonly number[]> {
  if (!hasProc) {
    const lines = (await ps(['-xww', '-o', 'pid=,command='])).split('\n');
    return lines.flatMap((line) => {
      const match = /^\s*(\d+)\s(.*)$/.exec(line);
      return match?.[2] !== undefined && `${match[2]} `.includes(` ${argument} `) ? [Number(match[1])] : [];
    });
  }
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.split('\0').slice(1).includes(argument)) found.push(Number(name));
  }
  return found;
}

/** The environment that the process was started with; `undefined` where the system does not tell. */
export async function startEnvironment(pid: number): Promise<{ readonly [name: string]: string } | undefined> {
  if (!hasProc) return undefined;
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => undefined);
  if (text === undefined || text === '') return undefined;
  return Object.fromEntries(
    text
      .split('\0')
      .filter((entry) => entry.includes('='))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/**
 * Memory of the process, and of its children when asked for (PostgreSQL is several processes): what is theirs alone plus
 * their share of what they share, in bytes; resident memory where the system does not tell that. `undefined` when the
 * process is gone.
 */
export async function memoryBytes(
  pid: number,
  options: { readonly withChildren: boolean },
): Promise<number | undefined> {
  if (!hasProc) {
    const kilobytes = Number((await ps(['-o', 'rss=', '-p', String(pid)])).trim());
    return Number.isFinite(kilobytes) && kilobytes > 0 ? kilobytes * 1024 : undefined;
  }
  const own = await shareOf(pid);
  if (own === undefined || !options.withChildren) return own;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  let total = own;
  for (const child of children.split(' ').filter((name) => name !== '')) total += (await shareOf(Number(child))) ?? 0;
  return total;
}

/** Waits until none is alive; the ones that still are after the time is up. */
export async function untilGone(
  processes: readonly ProcessIdentity[],
  timeoutMs: number,
): Promise<readonly ProcessIdentity[]> {
  const deadline = Date.now() + timeoutMs;
  let left = processes;
  for (;;) {
    const alive = await Promise.all(left.map(async (identity) => ((await isAlive(identity)) ? identity : undefined)));
    left = alive.filter((identity) => identity !== undefined);
    if (left.length === 0 || Date.now() >= deadline) return left;
    await delay(20);
  }
}

/** Never throws: a process that is gone needs no signal. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
}

async function shareOf(pid: number): Promise<number | undefined> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => undefined);
  const proportional = /^Pss:\s+(\d+) kB/m.exec(rollup ?? '')?.[1];
  if (proportional !== undefined) return Number(proportional) * 1024;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1];
  return resident === undefined ? undefined : Number(resident) * 1024;
}

/** Fields of /proc/pid/stat from the third on: the second, the program's name, may hold anything. */
async function statFields(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

async function ps(args: readonly string[]): Promise<string> {
  return await new Promise((resolve) => {
    execFile(
      'ps',
      [...args],
      { maxBuffer: 16 * 1024 * 1024, env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' } },
      (_error, out) => resolve(out),
    );
  });
}
