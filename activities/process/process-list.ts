import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface ProcessEntry {
  readonly pid: number;
  readonly group: number;
  /** Opaque; together with the pid it names a process for as long as the machine runs. */
  readonly startTime: string;
  /** Name of the program, cut by the system. */
  readonly program: string;
  /** False for one that is over but that its parent has not asked about yet. */
  readonly alive: boolean;
}

/** All processes of the machine that can be seen. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  if (process.platform !== 'linux') return listByPs();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(pids.map(async (pid) => parseStat(await readOrEmpty(`/proc/${pid}/stat`))));
  return entries.filter((entry) => entry !== undefined);
}

/** Start time of a process, undefined when there is none. Synchronous on Linux, where it is needed with every command. */
export function startTimeNow(pid: number): string | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime;
  } catch {
    return undefined;
  }
}

async function listByPs(): Promise<readonly ProcessEntry[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,pgid=,stat=,lstart=,comm='], {
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(line);
    if (match === null) return [];
    const [, pid, group, state, startTime, command] = match;
    return [
      {
        pid: Number(pid),
        group: Number(group),
        startTime: startTime ?? '',
        program: (command ?? '').replace(/^.*\//, ''),
        alive: !(state ?? '').startsWith('Z'),
      },
    ];
  });
}

function parseStat(stat: string): ProcessEntry | undefined {
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  if (open < 0 || close < 0) return undefined;
  const fields = stat.slice(close + 2).split(' ');
  return {
    pid: Number(stat.slice(0, open - 1)),
    group: Number(fields[2]),
    startTime: fields[19] ?? '',
    program: stat.slice(open + 1, close),
    alive: fields[0] !== 'Z' && fields[0] !== 'X',
  };
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}

interface MarkedProcess extends ProcessEntry {
  /** What its environment has in the variable that was asked for. */
  readonly mark: string;
}

/** Those whose environment has the variable (Linux only; elsewhere none). */
export async function processesWith(
  variable: string,
  processes: readonly ProcessEntry[],
): Promise<readonly MarkedProcess[]> {
  if (process.platform !== 'linux') return [];
  const start = `${variable}=`;
  const found = await Promise.all(
    processes.map(async (entry) => {
      const environment = await readOrEmpty(`/proc/${entry.pid}/environ`);
      const setting = environment.split('\0').find((each) => each.startsWith(start));
      return setting === undefined ? [] : [{ ...entry, mark: setting.slice(start.length) }];
    }),
  );
  return found.flat();
}
