import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { registerGroup, tokenVariable } from './register-group.ts';

export interface LaunchRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Complete; only the token is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Text for stdin; absent: at its end. */
  readonly input?: string;
  /** `collect`: stdout and stderr are in the exit; else the named pipe, open for reading, that both go to. */
  readonly output: 'collect' | { readonly pipe: string };
  /** Where the group is registered, see {@link registerGroup}. */
  readonly processDir: string;
  readonly token: string;
}

export interface LaunchExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Empty unless collected. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface Launched {
  /** Leader of a process group of its own. */
  readonly pid: number;
  /** The leader is over; others of its group may go on. */
  readonly exited: Promise<LaunchExit>;
}

/**
 * Starts a program as leader of a registered process group. Rejects with the system's error (`code`: `ENOENT`, `EACCES`, `E2BIG`, …)
 * when it cannot be started.
 */
export type Launch = (request: LaunchRequest) => Promise<Launched>;

/**
 * Launches from this very process. Node forks to do that, which stops it for some 8 ms per 100 MB of its memory:
 * a large process uses a launcher, see `createLauncher`.
 */
export async function launchHere(request: LaunchRequest): Promise<Launched> {
  const child = spawnLeader(request);
  const exited = exitOf(child);
  // Whoever launches looks at it only after the start has succeeded.
  exited.catch(() => {});
  child.stdin?.on('error', () => {
    // It ended without reading its input: its exit code says why.
  });
  child.stdin?.end(request.input);
  const { pid } = child;
  if (pid !== undefined) register(pid, request);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', resolve);
  });
  return { pid: pid ?? 0, exited };
}

/** A program that cannot be registered does not run. */
function register(pid: number, { processDir, token }: LaunchRequest): void {
  try {
    registerGroup(processDir, { pid, token });
  } catch (error) {
    process.kill(-pid, 'SIGKILL');
    throw error;
  }
}

function spawnLeader(request: LaunchRequest): ChildProcess {
  const stdin = request.input === undefined ? 'ignore' : 'pipe';
  const options = {
    cwd: request.cwd,
    env: { ...request.env, [tokenVariable]: request.token },
    detached: true,
  };
  if (request.output === 'collect') {
    return spawn(request.file, [...request.args], { ...options, stdio: [stdin, 'pipe', 'pipe'] });
  }
  const output = openSync(request.output.pipe, constants.O_WRONLY);
  try {
    return spawn(request.file, [...request.args], { ...options, stdio: [stdin, output, output] });
  } finally {
    closeSync(output);
  }
}

function exitOf(child: ChildProcess): Promise<LaunchExit> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      resolve({
        exitCode,
        signal,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      });
    });
  });
}
