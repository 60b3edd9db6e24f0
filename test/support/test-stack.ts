import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readStatus } from '../../services/stack/status.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
export const program = join(root, 'bin', 'codetether');

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly pid: number;
  readonly result: Promise<CliResult>;
}

export type StackProcess = 'supervisor' | 'postgres' | 'temporal' | 'worker' | 'api';

interface StartOptions {
  readonly cwd?: string;
  /** Beside the stack's. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A local stack of its own, used as a person would: through the built program. */
export interface TestStack {
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  start(args: readonly string[], options?: StartOptions): RunningCli;
  cli(args: readonly string[], options?: StartOptions): Promise<CliResult>;
  /** Of the processes that run now. */
  pids(): Promise<ReadonlyMap<StackProcess, number>>;
  /** Kills (SIGKILL) at once; one that is just being started is waited for. */
  kill(...names: readonly StackProcess[]): Promise<void>;
  /** Ends everything and removes the data dir and the folders of the file's repositories. */
  remove(): Promise<void>;
}

export async function createTestStack(env: NodeJS.ProcessEnv = {}): Promise<TestStack> {
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'codetether-stack-')));
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: '1',
    LC_ALL: 'C.UTF-8',
    CODETETHER_DATA_DIR: dataDir,
    ...env,
  };
  for (const name of [
    'VITEST',
    'VITEST_POOL_ID',
    'VITEST_WORKER_ID',
    'NODE_ENV',
    'NODE_OPTIONS',
    'DATABASE_URL',
    'TEMPORAL_ADDRESS',
  ]) {
    if (!(name in env)) delete environment[name];
  }
  const start = (args: readonly string[], options: StartOptions = {}): RunningCli => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: { ...environment, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const result = new Promise<CliResult>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, ...output }));
    });
    return { pid: child.pid ?? 0, result };
  };
  const cli = (args: readonly string[], options: StartOptions = {}) => start(args, options).result;
  return {
    dataDir,
    env: environment,
    start,
    cli,
    pids: async () => {
      const { processes } = JSON.parse((await cli(['status', '--json'])).stdout) as {
        readonly processes: readonly { readonly name: StackProcess; readonly pid: number | null }[];
      };
      return new Map(processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid] as const])));
    },
    kill: async (...names) => {
      for (const deadline = Date.now() + 60_000; ; await delay(20)) {
        // Not by the program: what is to be hit may be over by the time that it takes to start.
        const { processes } = await readStatus(dataDir);
        const pids = processes.flatMap(({ name, pid }) => (pid !== null && names.includes(name) ? [pid] : []));
        if (pids.length === names.length) {
          for (const pid of pids) process.kill(pid, 'SIGKILL');
          return;
        }
        if (Date.now() > deadline) throw new Error(`not all of these run: ${names.join(', ')}`);
      }
    },
    remove: async () => {
      await cli(['down']);
      await removeFolders([dataDir, ...repositoryFolders.splice(0)]);
    },
  };
}

/** Of this test file. */
const repositoryFolders: string[] = [];

/** An empty folder that goes with the stack. */
export async function repositoryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-repo-')));
  repositoryFolders.push(folder);
  return folder;
}

async function removeFolders(folders: readonly string[]): Promise<void> {
  // A command that a stack has just ended may be writing for a moment.
  const options = { recursive: true, force: true, maxRetries: 5 } as const;
  await Promise.all(folders.map((folder) => rm(folder, options)));
}

export async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], {
    cwd,
  });
  return stdout.trim();
}

/** A git repository with the example's files and PRD, and the path of its script with another pace. */
export async function createExampleRepository(options: {
  readonly delayMs: number;
}): Promise<{ readonly path: string; readonly model: string }> {
  const example = join(root, 'examples', 'todo-cli');
  const folder = await repositoryFolder();
  const path = join(folder, 'todo-cli');
  await cp(join(example, 'repository'), path, { recursive: true });
  await git(path, 'init', '--quiet', '--initial-branch', 'main');
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  const script = await readFile(join(example, 'script.yaml'), 'utf8');
  const scriptPath = join(folder, 'script.yaml');
  await writeFile(scriptPath, script.replace(/^delayMs: .*$/m, `delayMs: ${options.delayMs}`));
  return { path, model: `scripted/${scriptPath}` };
}
